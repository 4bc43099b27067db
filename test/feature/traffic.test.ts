import { expect } from 'chai';
import { type Caller, type Mesh, route, startMesh } from '../support/start-mesh.ts';

describe('traffic through real agents', () => {
  let mesh: Mesh;
  let web: Caller;

  before(async () => {
    mesh = await startMesh();
    await mesh.startInstance('reviews', 'v1');
    await mesh.startInstance('reviews', 'v2');
    web = await mesh.startCaller();
  });

  after(() => mesh.close());

  it('goes to all passing instances of a service without a Route', async () => {
    expect(await web.count(10, 'reviews')).to.deep.equal({ 'reviews v1': 5, 'reviews v2': 5 });
  });

  it('is split exactly: 1,000 requests at 90/10 give 100 to v2, give or take 1', async () => {
    await mesh.apply(route('reviews', { v1: 90, v2: 10 }));
    const counts = await web.count(1_000, 'reviews.default.mesh.local:80');
    expect(counts['reviews v2']).to.be.within(99, 101);
    expect((counts['reviews v1'] ?? 0) + (counts['reviews v2'] ?? 0)).to.equal(1_000);
  });

  it('is split exactly again when weights change in the middle', async () => {
    for (const [v1, v2] of [
      [1, 999],
      [67, 33],
      [1, 1],
    ] as const) {
      await mesh.apply(route('reviews', { v1, v2 }));
      const times = 200;
      const counts = await web.count(times, 'reviews');
      expect(Math.abs((counts['reviews v2'] ?? 0) - (times * v2) / (v1 + v2)), `${v1}:${v2}`).to.be.at.most(1);
    }
  });

  it('of one user stays with one version, and never goes back as the share grows', async () => {
    const users = Array.from({ length: 200 }, (_, index) => `user-${index}`);
    let before = new Set<string>();
    for (const share of [0, 10, 25, 60, 100]) {
      const more = ', sticky: { header: x-user-id }';
      await mesh.apply(route('reviews', { v1: 100 - share, v2: share }, more));
      const now = new Set<string>();
      for (const user of users) {
        const { text } = await web.get('reviews', '/', { 'x-user-id': user });
        if (text === 'reviews v2') now.add(user);
      }
      expect(
        [...before].filter((user) => !now.has(user)),
        `moved back at ${share} %`,
      ).to.deep.equal([]);
      before = now;
    }
    expect(before.size).to.equal(users.length);
  });

  it('follows path, method, header and query by the precedence of the Gateway API', async () => {
    await mesh.apply(`
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec:
  service: reviews
  rules:
    - { name: rest, backends: [ { subset: v1 } ] }
    - { name: api, match: [ { path: { prefix: /api } } ], backends: [ { subset: v2 } ] }
    - { name: old, match: [ { path: { exact: /api/old } } ], backends: [ { subset: v1 } ] }
    - { name: beta, match: [ { headers: { x-beta: { exact: "1" } } } ], backends: [ { subset: v2 } ] }
    - { name: debug, match: [ { query: { debug: { present: true } } } ], backends: [ { subset: v2 } ] }
`);
    const answers = [];
    for (const [path, headers] of [
      ['/', {}],
      ['/api', {}],
      ['/api/x?y=1', {}],
      ['/apix', {}],
      ['/api/old', {}],
      ['/', { 'x-beta': '1' }],
      ['/', { 'x-beta': '2' }],
      ['/x?debug', {}],
    ] as const) {
      answers.push((await web.get('reviews', path, headers)).text.slice(-2));
    }
    expect(answers).to.deep.equal(['v1', 'v2', 'v2', 'v1', 'v1', 'v2', 'v1', 'v2']);
  });

  it('to a name that is no service of the mesh is answered 404 with a reason, on the word of the server', async () => {
    const { status, headers, text } = await web.get('nobody');
    expect(status).to.equal(404);
    expect(headers['x-sluice-reason']).to.equal('no-route');
    expect(text).to.contain('nobody');
  });

  it('shares one question among the first requests for a name', async () => {
    await mesh.startInstance('ratings', 'v1');
    const answers = await Promise.all(Array.from({ length: 20 }, () => web.get('ratings')));
    expect(answers.map(({ text }) => text)).to.deep.equal(Array.from({ length: 20 }, () => 'ratings v1'));
  });

  it('reaches an instance that registers later, and no longer one that is drained, without a revision', async () => {
    const { body } = await mesh.call<{ items: { revision: number }[] }>('GET', '/revisions?limit=1');
    const late = await mesh.startInstance('ratings', 'v9', 'ratings-late');
    await mesh.until(async () => (await web.get('ratings')).text === 'ratings v9');
    await late.agent.drain();
    expect(await web.count(20, 'ratings')).to.deep.equal({ 'ratings v1': 20 });
    const later = await mesh.call<{ items: { revision: number }[] }>('GET', '/revisions?limit=1');
    expect(later.body).to.deep.equal(body);
  });

  it('is tried on another instance at once when a connection cannot be established', async () => {
    const broken = await mesh.startInstance('details', 'v1', 'details-1');
    await mesh.startInstance('details', 'v1', 'details-2');
    await web.get('details');
    await broken.agent.closeInbound();
    expect(await web.count(20, 'details')).to.deep.equal({ 'details v1': 20 });
  });

  it('is answered 503 with a reason when no instance is healthy', async () => {
    const { app } = await mesh.startInstance('orders', 'v1');
    await web.get('orders');
    await app.close();
    await mesh.until(async () => (await mesh.instance('orders', 'orders-v1'))?.state === 'failing');
    await mesh.until(async () => (await web.get('orders')).status === 503);
    expect((await web.get('orders')).headers['x-sluice-reason']).to.equal('no-healthy-instance');
  });
});
