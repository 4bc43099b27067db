import { expect } from 'chai';
import { type Caller, type Mesh, route, startMesh } from '../support/start-mesh.ts';

/** Requests one after the other on each of these connections, until `stop`; answers everything that came. */
function load(web: Caller, connections: number, request: () => Promise<string>) {
  const answers: string[] = [];
  let isOver = false;
  const running = Array.from({ length: connections }, async () => {
    while (!isOver) answers.push(await request().catch((error: Error) => `failed: ${error.message}`));
  });
  return {
    answers,
    stop: async () => {
      isOver = true;
      await Promise.all(running);
      return { answers, closed: web.closedConnections };
    },
  };
}

describe('rule changes under load', () => {
  let mesh: Mesh;
  let web: Caller;

  before(async () => {
    mesh = await startMesh();
    for (const service of ['a', 'b']) {
      for (const version of ['v1', 'v2']) await mesh.startInstance(service, version);
    }
    web = await mesh.startCaller();
  });

  after(() => mesh.close());

  it('fail no request and close no connection: 100 random changes', async () => {
    const running = load(web, 8, async () => {
      const { status, text } = await web.get(Math.random() < 0.5 ? 'a' : 'b');
      return status === 200 ? 'ok' : `${status} ${text}`;
    });
    for (let change = 0; change < 100; change++) {
      const service = Math.random() < 0.5 ? 'a' : 'b';
      const share = Math.floor(Math.random() * 101);
      const kind = change % 4;
      const more = kind === 1 ? ', timeout: 5s' : kind === 2 ? ', sticky: { header: x-user-id }' : '';
      const wanted = route(service, { v1: share, v2: 101 - share }, more);
      const { status, body } =
        kind === 3 ? await mesh.apply(await without(mesh, service, wanted)) : await mesh.apply(wanted, 'wait=10s');
      expect(status, JSON.stringify(body)).to.equal(200);
      expect(body.rollout.pending.length + body.rollout.rejected.length, JSON.stringify(body.rollout)).to.equal(0);
    }
    const { answers, closed } = await running.stop();
    expect(answers.filter((answer) => answer !== 'ok')).to.deep.equal([]);
    expect(answers.length).to.be.greaterThan(500);
    expect(closed).to.equal(0);
  });

  it('never show a mixture of two revisions: two services and a route are changed in one apply', async () => {
    // Odd revisions send "a" to version 1 of service a; even ones to version 2 of service b. The subset is called the same.
    const state = (target: string, version: string) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: a }
spec: { subsets: [ { name: live, labels: { version: ${version} } } ] }
---
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: b }
spec: { subsets: [ { name: live, labels: { version: ${version} } } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: a }
spec: { service: a, rules: [ { backends: [ { service: ${target}, subset: live } ] } ] }
`;
    await mesh.apply(state('a', 'v1'));
    const running = load(web, 8, async () => (await web.get('a')).text);
    for (let change = 0; change < 60; change++) {
      const { body } = await mesh.apply(change % 2 === 0 ? state('b', 'v2') : state('a', 'v1'));
      expect(body.rollout.applied).to.equal(1);
    }
    const { answers } = await running.stop();
    expect([...new Set(answers)].sort()).to.deep.equal(['a v1', 'b v2']);
  });

  it('apply to the very next request once `wait` has said so', async () => {
    for (const version of ['v1', 'v2', 'v1', 'v2']) {
      await mesh.apply(route('a', { [version]: 1 }));
      expect((await web.get('a')).text).to.equal(`a ${version}`);
    }
  });
});

/** A change that takes the Route away and one that brings it back, so that its clusters go and come. */
async function without(mesh: Mesh, service: string, wanted: string): Promise<string> {
  await mesh.call('DELETE', `/routes/${service}`);
  return wanted;
}
