import { expect } from 'chai';
import { MeshError } from '../../../model/errors.ts';
import { ApiUnderTest, canary, service } from './api-under-test.ts';

const path = '/api/v1/apply';

describe('POST /apply', () => {
  let api: ApiUnderTest;
  beforeEach(async () => {
    api = new ApiUnderTest();
    await api.start();
  });
  afterEach(() => api.stop());

  const noAgents = { phase: 'complete', retired: 0, agents: 0, applied: 0, pending: [], rejected: [], gone: [] };
  const created = { kind: 'Route', namespace: 'default', name: 'canary', action: 'created' };

  it('makes one revision of all documents and says what changed', async () => {
    const { body, headers } = await api.expect(200, path, { yaml: `${canary(10)}---\n${service('reviews')}` });
    expect(body).to.deep.equal({
      revision: 1,
      changes: [created, { kind: 'Service', namespace: 'default', name: 'reviews', action: 'created' }],
      warnings: [],
      rollout: { revision: 1, ...noAgents },
    });
    expect(headers.get('etag')).to.equal('"1"');
  });

  it('answers an identical apply with the revision that stands', async () => {
    await api.expect(200, path, { yaml: canary(10) });
    const { body } = await api.expect(200, path, { yaml: canary(10) });
    expect(body).to.deep.include({ revision: 1, changes: [] });
  });

  for (const type of ['application/yaml', 'text/yaml; charset=utf-8', 'application/x-yaml', 'TEXT/X-YAML']) {
    it(`reads YAML sent as ${type}`, async () => {
      await api.expect(200, path, { raw: { type, bytes: canary(10) } });
    });
  }

  it('reads one JSON document, a list of them, and named files', async () => {
    const document = (name: string) => ({
      apiVersion: 'sluice.dev/v1',
      kind: 'Service',
      metadata: { name },
      spec: {},
    });
    await api.expect(200, path, { json: document('a') });
    await api.expect(200, path, { json: [document('b'), document('c')] });
    await api.expect(200, path, { json: { files: [{ name: 'd.yaml', text: service('d') }] } });
    const { body } = await api.expect(200, '/api/v1/services');
    expect(body.items.map((one: { name: string }) => one.name)).to.deep.equal(['a', 'b', 'c', 'd']);
  });

  it('changes nothing in a dry run, and shows each document before and after', async () => {
    await api.expect(200, path, { yaml: canary(10) });
    const { body } = await api.expect(200, `${path}?dryRun`, { yaml: canary(25) });
    expect(body).to.deep.include({ revision: 1, rollout: null });
    expect(body.changes[0].action).to.equal('updated');
    expect(body.changes[0].before.spec.rules[0].backends[1].weight).to.equal(10);
    expect(body.changes[0].after.spec.rules[0].backends[1].weight).to.equal(25);
    expect(api.fake.revision).to.equal(1);
  });

  it('prunes what has all the labels and is not in the body', async () => {
    const books = '{ team: books, tier: "1" }';
    await api.expect(200, path, { yaml: canary(10, { labels: books }) });
    const { body } = await api.expect(200, `${path}?prune=team%3Dbooks,tier=1`, { yaml: service('reviews') });
    expect(body.changes.map((change: { action: string }) => change.action)).to.deep.equal(['deleted', 'created']);
  });

  it('keeps who and why', async () => {
    await api.expect(200, `${path}?message=because`, { yaml: canary(10), headers: { 'x-sluice-by': 'ada' } });
    await api.expect(200, path, { yaml: canary(11) });
    const { body } = await api.expect(200, '/api/v1/revisions');
    const said = body.items.map(({ by, message }: { by: string; message: string }) => [by, message]);
    expect(said).to.deep.equal([
      ['rest:127.0.0.1', ''],
      ['ada', 'because'],
    ]);
  });

  describe('If-Match', () => {
    for (const { tag, status, sentence } of [
      { tag: '"1"', status: 200, sentence: 'accepts the present revision in quotes' },
      { tag: '1', status: 200, sentence: 'accepts the present revision without quotes' },
      { tag: '"0"', status: 409, sentence: 'refuses an older revision' },
      { tag: '7', status: 409, sentence: 'refuses a revision that never was' },
      { tag: 'W/"1"', status: 400, sentence: 'refuses a weak tag' },
      { tag: '"1", "2"', status: 400, sentence: 'refuses a list' },
      { tag: '*', status: 400, sentence: 'refuses a star' },
      { tag: '"one"', status: 400, sentence: 'refuses what is no number' },
    ]) {
      it(sentence, async () => {
        await api.expect(200, path, { yaml: canary(10) });
        await api.expect(status, path, { yaml: canary(20), headers: { 'if-match': tag } });
        expect(api.fake.revision).to.equal(status === 200 ? 2 : 1);
      });
    }

    it('says in the refusal which revision it is now', async () => {
      await api.expect(200, path, { yaml: canary(10) });
      const { body } = await api.expect(409, path, { yaml: canary(20), headers: { 'if-match': '"0"' } });
      expect(body).to.deep.include({ code: 'REVISION_CONFLICT', status: 409, title: 'Revision conflict' });
      expect(body.detail).to.contain('the revision is 1');
    });
  });

  describe('refusals', () => {
    it('lists every fault of every file with its place', async () => {
      const files = [
        { name: 'a.yaml', text: canary(10).replace('kind: Route', 'kind: Rote') },
        { name: 'b/c.yaml', text: canary(10).replace('weight: 90', 'weight: -90') },
      ];
      const { body, headers } = await api.expect(422, path, { json: { files } });
      expect(headers.get('content-type')).to.equal('application/problem+json');
      expect(body.code).to.equal('INVALID_DOCUMENTS');
      const places = body.errors.map(({ file, line, path }: Record<string, unknown>) => `${file}:${line}: ${path}`);
      expect(places).to.deep.equal(['a.yaml:2: kind', 'b/c.yaml:7: spec.rules[0].backends[0].weight']);
      expect(api.fake.revision).to.equal(0);
    });

    it('names both parties of a conflict between rules', async () => {
      await api.expect(200, path, { yaml: canary(10) });
      const { body } = await api.expect(422, path, { yaml: canary(20, { name: 'second' }) });
      expect(JSON.stringify(body.errors)).to.contain('canary').and.to.contain('second');
    });

    it('refuses an apply without documents', async () => {
      for (const yaml of ['', '---\n', '# nothing\n']) {
        const { body } = await api.expect(422, path, { yaml });
        expect(body.code).to.equal('NO_DOCUMENTS');
      }
    });

    it('passes on what the store says', async () => {
      api.fake.failure = new MeshError('STORE_READ_ONLY', ['the disk is full']);
      const { body } = await api.expect(507, path, { yaml: canary(10) });
      expect(body.detail).to.contain('the disk is full');
      expect(api.logged).to.have.length(1);
    });

    it('answers the unexpected with 500 and tells only the log what it was', async () => {
      api.fake.failure = new Error('the password is hunter2');
      const { text } = await api.expect(500, path, { yaml: canary(10) });
      expect(text).to.contain('INTERNAL').and.not.to.contain('hunter2');
      expect(api.logged).to.have.length(1);
    });
  });

  describe('wait', () => {
    it('answers when the last agent has applied', async () => {
      api.fake.setAgent({ id: 'web-1', state: 'pending' });
      const answer = api.expect(200, `${path}?wait=10s`, { yaml: canary(10) });
      await until(() => api.fake.waits === 1);
      api.fake.setAgent({ id: 'web-1', state: 'current' });
      expect((await answer).body.rollout).to.deep.include({ agents: 1, applied: 1, pending: [] });
    });

    it('answers 200 when the time is over, and names who is late', async () => {
      api.fake.setAgent({ id: 'web-1', state: 'disconnected' });
      const { body } = await api.expect(200, `${path}?wait=20ms`, { yaml: canary(10) });
      expect(body.rollout.pending).to.deep.equal([{ id: 'web-1', reason: 'not connected' }]);
    });

    it('answers at once when an agent refuses', async () => {
      api.fake.setAgent({ id: 'web-1', state: 'rejected', detail: 'unknown subset' });
      const { body } = await api.expect(200, `${path}?wait=1h`, { yaml: canary(10) });
      expect(body.rollout.rejected).to.deep.equal([{ id: 'web-1', reason: 'unknown subset' }]);
    });

    it('is called off when the client goes away', async () => {
      api.fake.setAgent({ id: 'web-1', state: 'pending' });
      const leaving = new AbortController();
      const answer = api.ask(`${path}?wait=1h`, { yaml: canary(10), signal: leaving.signal });
      await until(() => api.fake.waits === 1);
      leaving.abort();
      await answer.catch(() => undefined);
      await until(() => api.fake.abortedWaits === 1);
      expect(api.logged).to.deep.equal([]);
    });

    it('answers with how far it has come when the server shuts down', async () => {
      api.fake.setAgent({ id: 'web-1', state: 'pending' });
      const answer = api.ask(`${path}?wait=1h`, { yaml: canary(10) });
      await until(() => api.fake.waits === 1);
      await api.stop();
      const { status, body } = await answer;
      expect([status, body.rollout.pending]).to.deep.equal([200, [{ id: 'web-1', reason: 'not applied yet' }]]);
    });
  });
});

/** Checks again after each turn of the event loop; mocha's time limit ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
