import { expect } from 'chai';
import { Caller, type Mesh, startMesh } from '../support/start-mesh.ts';

/** An agent dials whatever the mesh says: also itself. It must notice, before it has no descriptors left. */
describe('a service whose instance is said to be at a port of the very agent that asks', () => {
  let mesh: Mesh;
  let web: Caller;

  before(async () => {
    mesh = await startMesh();
  });
  after(() => mesh.close());

  const register = (service: string, { host: address, port }: { host: string; port: number }) =>
    mesh.call('PUT', `/services/${service}/instances/${service}-1`, JSON.stringify({ address, port, ttl: '1h' }));
  const connections = async () => {
    const response = await fetch(`http://127.0.0.1:${web.agent.addresses.admin.port}/stats`);
    const { traffic } = (await response.json()) as { traffic: Record<string, { connections: object }> };
    return Object.fromEntries(Object.entries(traffic).map(([name, stats]) => [name, stats.connections]));
  };

  for (const { name, flags, at, host } of [
    { name: 'its outbound', flags: {}, at: 'outbound', host: 'loop' },
    { name: 'the local port of that service', flags: { upstream: ['loop=127.0.0.1:0'] }, at: 'loop', host: 'loop' },
  ]) {
    it(`has its requests failed, not dialled for ever, at ${name}`, async () => {
      web = await mesh.startCaller('web', `web-${at}`, flags);
      const { addresses } = web.agent;
      await register('loop', addresses.upstreams[0]?.address ?? addresses.outbound);
      const { status } = await web.get(host);
      expect(status).to.equal(502);
      const { refused } = Object.assign({ refused: 0 }, (await connections())[at]);
      expect(refused).to.be.within(1, 10);
      web.close();
    });
  }

  it('may be at its own inbound: an application may call its own service', async () => {
    const { agent } = await mesh.startInstance('shop', 'v1');
    const shop = new Caller(agent);
    expect((await shop.get('shop')).text).to.equal('shop v1');
    shop.close();
  });
});
