/** Services that appear by themselves, their ports, and instances registered by REST (design section 9). */
import { expect } from 'chai';
import { App, type Caller, type Mesh, route, startMesh } from '../support/start-mesh.ts';

describe('a service', () => {
  let mesh: Mesh;
  let web: Caller;
  let app: App;
  let port: number;

  beforeEach(async () => {
    mesh = await startMesh();
    web = await mesh.startCaller();
    app = new App('hello');
    port = await app.listen();
  });

  afterEach(async () => {
    await app.close();
    await mesh.close();
  });

  const register = (id = 'i1', more: Record<string, unknown> = {}, service = 'legacy') =>
    mesh.call<{ state: string; source: string }>(
      'PUT',
      `/services/${service}/instances/${id}`,
      JSON.stringify({ address: '127.0.0.1', port, ...more }),
    );

  const declare = (ports: string) =>
    mesh.apply(`
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: legacy }
spec: { ports: [ ${ports} ] }
`);

  it('is created by a PUT of an instance, which starts passing and is reached at once', async () => {
    const { status, body } = await register();
    expect({ status, ...body }).to.deep.include({ status: 201, state: 'passing', source: 'rest' });
    expect((await web.get('legacy')).text).to.equal('hello');
  });

  it('needs address and port in a PUT: all faults at once', async () => {
    const { status, body } = await mesh.call<{ errors: { path: string }[] }>(
      'PUT',
      '/services/legacy/instances/i1',
      '{"address":"nowhere","ttl":"soon"}',
    );
    expect(status).to.be.oneOf([400, 422]);
    expect(body.errors.map(({ path }) => path)).to.include.members(['body.address', 'body.ttl']);
  });

  it('is served by a single port whatever its name, also when the Service document comes later', async () => {
    await register();
    await web.get('legacy');
    await declare('{ name: web, port: 8080 }');
    expect((await web.get('legacy:8080')).text).to.equal('hello');
  });

  it('is reached at its first port by a host without port', async () => {
    const other = new App('admin');
    const adminPort = await other.listen();
    await declare('{ name: web, port: 8080 }, { name: admin, port: 8081 }');
    await register('i1', { port: undefined, ports: { web: port, admin: adminPort } });
    expect((await web.get('legacy')).text).to.equal('hello');
    expect((await web.get('legacy:8081')).text).to.equal('admin');
    await other.close();
  });

  it('answers 404 with the ports it has for one that it has not', async () => {
    await register();
    const { status, text } = await web.get('legacy:9999');
    expect(status).to.equal(404);
    expect(text).to.contain('80');
  });

  it('keeps a port that is removed while somebody subscribes to it, with a warning, until nobody does', async () => {
    await declare('{ name: web, port: 8080 }');
    await register();
    await web.get('legacy:8080');
    const { body } = await declare('{ name: web, port: 8081 }');
    expect(body.warnings.map(({ message }) => message).join()).to.contain('8080');
    expect((await web.get('legacy:8080')).text).to.equal('hello');
    expect((await web.get('legacy:8081')).text).to.equal('hello');
    await web.agent.drain();
    await web.agent.close();
    const fresh = await mesh.startCaller('web', 'web-2');
    await mesh.until(async () => (await fresh.get('legacy:8080')).status === 404);
  });

  it('stays, when its last instance has gone, while subscriptions name it', async () => {
    await register();
    await web.get('legacy');
    await mesh.call('DELETE', '/services/legacy/instances/i1');
    await mesh.until(async () => (await web.get('legacy')).status === 503);
    expect((await web.get('legacy')).headers['x-sluice-reason']).to.equal('no-healthy-instance');
    await register();
    await mesh.until(async () => (await web.get('legacy')).text === 'hello');
  });

  it('is sent to one address once, though several instances share it', async () => {
    await register('i1');
    await register('i2');
    const { body } = await mesh.call<{ items: unknown[] }>('GET', '/services/legacy/instances');
    expect(body.items).to.have.lengthOf(2);
    expect(await web.count(10, 'legacy')).to.deep.equal({ hello: 10 });
  });

  it('refuses a backend that nobody serves, naming it, unless allowEmpty stands in the document', async () => {
    await register('i1', { labels: { version: 'v1' } });
    const refused = await mesh.apply(route('legacy', { v1: 9, v2: 1 }));
    expect(refused.status).to.equal(422);
    expect(refused.body.errors?.[0]).to.include({ line: 5, path: 'spec.rules[0].backends[1]' });
    const allowed = await mesh.apply(route('legacy', { v1: 9, v2: 1 }).replace('rules:', 'allowEmpty: true, rules:'));
    expect(allowed.status).to.equal(200);
    expect(allowed.body.warnings).to.have.lengthOf(1);
  });

  it('is reached by its alias, and the alias moves with an apply', async () => {
    await register();
    await register('i1', {}, 'other');
    const alias = (service: string, aliases: string) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: ${service} }
spec: { aliases: [ ${aliases} ] }
`;
    await mesh.apply(alias('legacy', 'com.example.Facade'));
    expect((await web.get('com.example.facade')).text).to.equal('hello');
    const conflict = await mesh.apply(alias('other', 'com.example.Facade'));
    expect(conflict.status).to.equal(422);
    expect(conflict.body.errors?.[0]?.message)
      .to.contain('Service/default/legacy')
      .and.contain('Service/default/other');
    await mesh.apply([alias('legacy', ''), alias('other', 'com.example.Facade')].join('---'));
    expect((await web.get('com.example.facade')).status).to.equal(200);
  });
});
