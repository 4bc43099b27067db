import { expect } from 'chai';
import { ApiUnderTest, canary, service } from './api-under-test.ts';

describe('agents and revisions', () => {
  let api: ApiUnderTest;
  beforeEach(async () => {
    api = new ApiUnderTest();
    await api.start();
  });
  afterEach(() => api.stop());

  const apply = (yaml: string) => api.expect(200, '/api/v1/apply', { yaml });

  it('lists agents with what each was sent and has applied', async () => {
    const nack = { revision: 3, at: '2026-01-01T00:00:00.000Z', message: 'no', resources: [] };
    api.fake.setAgent({ id: 'web-2', state: 'rejected', revision: { sent: 3, applied: 2 }, nack });
    api.fake.setAgent({ id: 'web-1' });
    api.fake.setAgent({ id: 'db-1', namespace: 'data', service: 'db' });
    const ids = async (query: string) => {
      const { body } = await api.expect(200, `/api/v1/agents${query}`);
      return body.items.map((agent: { id: string }) => agent.id);
    };
    expect(await ids('')).to.deep.equal(['db-1', 'web-1', 'web-2']);
    expect(await ids('?namespace=data')).to.deep.equal(['db-1']);
    expect(await ids('?service=web&limit=1')).to.deep.equal(['web-1']);
    const { body } = await api.expect(200, '/api/v1/agents/web-2');
    expect([body.state, body.revision, body.nack]).to.deep.equal(['rejected', { sent: 3, applied: 2 }, nack]);
  });

  it('shows what an agent was sent', async () => {
    api.fake.setAgent({ id: 'web-1' });
    const { text } = await api.expect(200, '/api/v1/agents/web-1/config');
    expect(text).to.contain('sluice.v1.Name');
    await api.expect(404, '/api/v1/agents/web-1/config?namespace=prod');
    await api.expect(404, '/api/v1/agents/nobody');
  });

  it('lists revisions newest first, page by page', async () => {
    for (const share of [1, 2, 3, 4, 5]) await apply(canary(share));
    const { body: first } = await api.expect(200, '/api/v1/revisions?limit=2');
    const { body: second } = await api.expect(200, `/api/v1/revisions?limit=3&cursor=${first.next}`);
    const numbers = [...first.items, ...second.items].map((item: { revision: number }) => item.revision);
    expect([numbers, second.next]).to.deep.equal([[5, 4, 3, 2, 1], null]);
  });

  it('shows one revision with its documents before and after', async () => {
    await apply(canary(10));
    await apply(canary(20));
    const { body } = await api.expect(200, '/api/v1/revisions/2');
    expect(body.changes[0].before.spec.rules[0].backends[1].weight).to.equal(10);
    expect(body.changes[0].after.spec.rules[0].backends[1].weight).to.equal(20);
  });

  it('shows what lies between two revisions, in both directions', async () => {
    await apply(canary(10));
    await apply(`${canary(20)}---\n${service('reviews')}`);
    await apply(canary(10));
    const actions = async (path: string) => {
      const { body } = await api.expect(200, path);
      return [
        body.from,
        body.to,
        body.changes.map((change: { kind: string; action: string }) => `${change.action} ${change.kind}`),
      ];
    };
    expect(await actions('/api/v1/revisions/1/diff')).to.deep.equal([1, 3, ['created Service']]);
    expect(await actions('/api/v1/revisions/1/diff?to=2')).to.deep.equal([1, 2, ['updated Route', 'created Service']]);
    expect(await actions('/api/v1/revisions/3/diff?to=0')).to.deep.equal([3, 0, ['deleted Route', 'deleted Service']]);
  });

  it('rolls back with a new revision', async () => {
    await apply(canary(10));
    await apply(canary(20));
    const { body } = await api.expect(200, '/api/v1/revisions/1/rollback?wait=1s', { method: 'POST' });
    expect(body.revision).to.equal(3);
    const { body: record } = await api.expect(200, '/api/v1/revisions/3');
    expect([record.message, record.by]).to.deep.equal(['rollback to revision 1', 'rest:127.0.0.1']);
  });

  it('rolls back to 0: before the first revision there were no rules', async () => {
    await apply(canary(10));
    const { body } = await api.expect(200, '/api/v1/revisions/0/rollback', { method: 'POST' });
    expect([body.revision, body.changes.map((change: { action: string }) => change.action)]).to.deep.equal([
      2,
      ['deleted'],
    ]);
    expect((await api.expect(200, '/api/v1/routes')).body.items).to.deep.equal([]);
  });

  it('answers how far a revision has come, now or when it is decided', async () => {
    await apply(canary(10));
    api.fake.setAgent({ id: 'web-1', state: 'pending' });
    const { body } = await api.expect(200, '/api/v1/revisions/1/rollout?wait=10ms');
    expect(body).to.deep.include({ revision: 1, agents: 1, applied: 0 });
  });

  for (const path of ['/9', '/0', '/9/diff', '/1/diff?to=9', '/9/rollout', '/0/rollout']) {
    it(`answers 404 to /revisions${path}`, async () => {
      await apply(canary(10));
      await api.expect(404, `/api/v1/revisions${path}`);
    });
  }

  it('answers 404 to a rollback to nowhere, and changes nothing', async () => {
    await apply(canary(10));
    for (const number of [2, 9]) await api.expect(404, `/api/v1/revisions/${number}/rollback`, { method: 'POST' });
    expect(api.fake.revision).to.equal(1);
  });

  it('refuses a revision that is no number', async () => {
    for (const number of ['x', '-1', '1.5', '01', '9999999999999999']) {
      await api.expect(400, `/api/v1/revisions/${number}`);
    }
  });
});
