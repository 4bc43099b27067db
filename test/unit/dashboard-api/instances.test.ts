import { expect } from 'chai';
import { ApiUnderTest } from './api-under-test.ts';

const all = '/api/v1/services/reviews/instances';
const one = `${all}/reviews-1`;

describe('instances by REST', () => {
  let api: ApiUnderTest;
  beforeEach(async () => {
    api = new ApiUnderTest();
    await api.start();
  });
  afterEach(() => api.stop());

  const register = (status: number, json: unknown, path = one) => api.expect(status, path, { method: 'PUT', json });

  it('registers with what is not said filled in, and answers 200 the second time', async () => {
    const { body } = await register(201, { address: '10.0.0.7', port: 9080 });
    expect(body).to.deep.equal({
      id: 'reviews-1',
      service: 'reviews',
      namespace: 'default',
      address: '10.0.0.7',
      port: 9080,
      labels: {},
      weight: 1,
      zone: '',
      state: 'passing',
      source: 'rest',
      lastSeen: '2026-01-01T00:00:00.000Z',
    });
    await register(200, {
      address: '10.0.0.7',
      port: 9080,
      weight: 5,
      zone: 'eu-1a',
      labels: { version: 'v2' },
      ttl: '1h',
    });
  });

  it('takes several ports by name', async () => {
    const { body } = await register(201, { address: '::1', ports: { http: 8080, grpc: 8081 } });
    expect([body.port, body.ports]).to.deep.equal([null, { http: 8080, grpc: 8081 }]);
  });

  it('answers one port with a name under both', async () => {
    const { body } = await register(201, { address: '::1', ports: { http: 8080 } });
    expect([body.port, body.ports]).to.deep.equal([8080, { http: 8080 }]);
  });

  it('renews, drains and removes', async () => {
    await register(201, { address: '10.0.0.7', port: 9080 });
    expect((await api.expect(200, `${one}/heartbeat`, { method: 'PUT' })).body.state).to.equal('passing');
    expect((await api.expect(200, `${one}/drain`, { method: 'PUT' })).body.state).to.equal('draining');
    expect((await api.expect(200, all)).body.items).to.have.length(1);
    await api.expect(204, one, { method: 'DELETE' });
    await api.expect(404, one, { method: 'DELETE' });
  });

  it('answers 404 about what nothing knows', async () => {
    expect((await api.expect(404, all)).body.code).to.equal('SERVICE_NOT_FOUND');
    for (const path of [`${one}/heartbeat`, `${one}/drain`]) {
      expect((await api.expect(404, path, { method: 'PUT' })).body.code).to.equal('INSTANCE_NOT_FOUND');
    }
  });

  for (const { sentence, json, path } of [
    { sentence: 'nothing but a map', json: [], path: 'body' },
    { sentence: 'no address', json: { port: 80 }, path: 'body.address' },
    { sentence: 'a host name for an address', json: { address: 'reviews.local', port: 80 }, path: 'body.address' },
    { sentence: 'an address with a port', json: { address: '10.0.0.7:80', port: 80 }, path: 'body.address' },
    { sentence: 'neither port nor ports', json: { address: '::1' }, path: 'body' },
    { sentence: 'both port and ports', json: { address: '::1', port: 1, ports: { a: 1 } }, path: 'body' },
    { sentence: 'an empty map of ports', json: { address: '::1', ports: {} }, path: 'body.ports' },
    { sentence: 'port 0', json: { address: '::1', port: 0 }, path: 'body.port' },
    { sentence: 'port 65536', json: { address: '::1', port: 65_536 }, path: 'body.port' },
    { sentence: 'half a port', json: { address: '::1', port: 80.5 }, path: 'body.port' },
    { sentence: 'a port as text', json: { address: '::1', port: '80' }, path: 'body.port' },
    { sentence: 'weight 0', json: { address: '::1', port: 80, weight: 0 }, path: 'body.weight' },
    {
      sentence: 'labels that are none',
      json: { address: '::1', port: 80, labels: { a: 'b c' } },
      path: 'body.labels.a',
    },
    { sentence: 'a ttl below 1s', json: { address: '::1', port: 80, ttl: '999ms' }, path: 'body.ttl' },
    { sentence: 'a ttl above 1h', json: { address: '::1', port: 80, ttl: '61m' }, path: 'body.ttl' },
    { sentence: 'a ttl without unit', json: { address: '::1', port: 80, ttl: 30 }, path: 'body.ttl' },
    { sentence: 'an unknown field', json: { address: '::1', port: 80, adress: '' }, path: 'body.adress' },
    { sentence: 'an absurd zone', json: { address: '::1', port: 80, zone: 'a\nb' }, path: 'body.zone' },
  ]) {
    it(`refuses ${sentence}, and says where`, async () => {
      const { body } = await register(400, json);
      expect(body.errors.map((fault: { path: string }) => fault.path)).to.include(path);
    });
  }

  it('refuses absurd names', async () => {
    for (const path of [`${all}/-x`, `${all}/${'x'.repeat(300)}`, '/api/v1/services/R_V/instances/a', `${all}/a%20b`]) {
      await register(400, { address: '::1', port: 80 }, path);
    }
  });
});
