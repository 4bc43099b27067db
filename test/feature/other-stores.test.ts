/** Agents and servers that do not know the same store: emptied, foreign, restored, away. */

import { cpSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { Caller, type Mesh, route, startMesh } from '../support/start-mesh.ts';

describe('an agent', () => {
  let mesh: Mesh;
  let web: Caller;

  beforeEach(async () => {
    mesh = await startMesh();
    await mesh.startInstance('reviews', 'v1');
    await mesh.startInstance('reviews', 'v2');
    web = await mesh.startCaller();
    await web.get('reviews');
    await mesh.apply(route('reviews', { v1: 0, v2: 1 }));
  });

  afterEach(() => mesh.close());

  const isServing = async () => expect((await web.get('reviews')).text).to.equal('reviews v2');

  it('keeps routing while the server is away, and takes up its stream again without being sent anything', async () => {
    await mesh.restartServer();
    await isServing();
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'current');
    expect((await mesh.agent('web-1')).revision.applied).to.equal(1);
    await isServing();
    expect((await mesh.apply(route('reviews', { v1: 1, v2: 0 }))).body.rollout).to.include({ agents: 1, applied: 1 });
    expect((await web.get('reviews')).text).to.equal('reviews v1');
  });

  it('loses no instance when the server starts again', async () => {
    await mesh.restartServer();
    expect((await mesh.instance('reviews', 'reviews-v1'))?.state).to.equal('passing');
    await isServing();
  });

  it('keeps what it has when the server comes back with an empty store, and reports foreign-store', async () => {
    await mesh.restartServer({ dataDir: join(mesh.folder, 'another') });
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'foreign-store');
    await isServing();
    for (const id of ['reviews-v1', 'reviews-v2']) {
      await mesh.until(async () => (await mesh.instance('reviews', id))?.state === 'passing');
    }
    const { body } = await mesh.apply(route('reviews', { v1: 1, v2: 0 }, ', timeout: 3s'), 'wait=100ms');
    expect(body.rollout.pending.map(({ id, reason }) => `${id} ${reason.split(':')[0]}`)).to.include(
      'web-1 foreign-store',
    );
    await isServing();
  });

  it('obeys the new store after --accept-mesh', async () => {
    await mesh.restartServer({ dataDir: join(mesh.folder, 'another') });
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'foreign-store');
    for (const id of ['reviews-v1', 'reviews-v2']) {
      await mesh.until(async () => (await mesh.instance('reviews', id))?.state === 'passing');
    }
    await web.agent.close();
    const { body } = await mesh.call<{ meshId: string }>('GET', '/../../readyz');
    web = await mesh.startCaller('web', 'web-1', { acceptMesh: body.meshId });
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'current');
    expect((await web.count(10, 'reviews'))['reviews v1']).to.be.greaterThan(0);
  });

  it('waits for a restored store that is older than what it has seen, until it goes on above that', async () => {
    const { http, grpc } = mesh.server;
    const data = join(mesh.folder, 'data');
    await mesh.server.close();
    cpSync(data, join(mesh.folder, 'backup'), { recursive: true });
    await mesh.startServer({ http, grpc });
    await mesh.apply(route('reviews', { v1: 1, v2: 1 }));
    await mesh.apply(route('reviews', { v1: 1, v2: 0 }));
    await mesh.until(async () => (await mesh.agent('web-1')).revision.applied === 3);
    await mesh.server.close();
    renameSync(data, join(mesh.folder, 'lost'));
    renameSync(join(mesh.folder, 'backup'), data);
    await mesh.startServer({ http, grpc });
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'older-store');
    expect((await web.get('reviews')).text).to.equal('reviews v1');
    // Not "no agent holds it": one does, and routes by something else.
    const { body } = await mesh.apply(route('reviews', { v1: 0, v2: 2 }), 'wait=100ms');
    expect(body.rollout.pending.map(({ id, reason }) => `${id} ${reason.split(':')[0]}`)).to.include(
      'web-1 older-store',
    );
    await mesh.restartServer({ continueFrom: '3' });
    await mesh.until(async () => (await mesh.agent('web-1')).state === 'current');
    await isServing();
  });

  it('starts from its last good state when the server is down, says stale, and serves', async () => {
    const { http, grpc } = mesh.server;
    await web.agent.close();
    await mesh.server.close();
    web = new Caller(await mesh.startAgent({ service: 'web', id: 'web-1', server: grpc }));
    await isServing();
    const { port } = web.agent.addresses.admin;
    const ready = await fetch(`http://127.0.0.1:${port}/ready`);
    expect(ready.status).to.equal(200);
    expect(await ready.json()).to.include({ stale: true });
    web.close();
    await mesh.startServer({ http, grpc });
  });
});
