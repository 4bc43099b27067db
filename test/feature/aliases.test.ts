/** One name, one service: an alias and the name of a service that somebody registers. */
import { expect } from 'chai';
import { App, type Caller, type Mesh, startMesh } from '../support/start-mesh.ts';

const reviews = (aliases: string) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { aliases: [ ${aliases} ] }
`;

interface Refused {
  readonly code: string;
  readonly detail: string;
}

describe('an alias', () => {
  let mesh: Mesh;
  let web: Caller;
  let shop: App;
  let port: number;

  beforeEach(async () => {
    mesh = await startMesh();
    await mesh.startInstance('reviews', 'v1');
    web = await mesh.startCaller();
    shop = new App('the shop');
    port = await shop.listen();
  });

  afterEach(async () => {
    await shop.close();
    await mesh.close();
  });

  const register = () =>
    mesh.call<Refused>('PUT', '/services/shop/instances/s-1', JSON.stringify({ address: '127.0.0.1', port }));
  const deregister = () => mesh.call('DELETE', '/services/shop/instances/s-1');
  const text = async () => (await web.get('shop')).text;

  it('keeps its requests: an instance that would take them is refused until it goes', async () => {
    await mesh.apply(reviews('shop'));
    const { status, body } = await register();
    expect([status, body.code]).to.deep.equal([409, 'NAME_IS_ALIAS']);
    expect(body.detail).to.contain('"shop.default"').and.to.contain('"reviews.default"');
    expect(await text()).to.equal('reviews v1');
    await mesh.apply(reviews(''));
    expect((await register()).status).to.equal(201);
    await mesh.until(async () => (await text()) === 'the shop');
  });

  it('is refused while it is the name of a service that has instances', async () => {
    await register();
    const { status, body } = await mesh.apply(reviews('stars.example, shop'));
    expect(status).to.equal(422);
    expect(body.errors?.map(({ path, message }) => `${path}: ${message}`)).to.deep.equal([
      'spec.aliases[1]: alias "shop" of Service/default/reviews is the name of the service "shop.default", which has instances; remove these first',
    ]);
    expect(await text()).to.equal('the shop');
  });

  it('that a rollback brings back beside such a service is a problem that is listed, and leads to its own when that is gone', async () => {
    const { body: first } = await mesh.apply(reviews('shop'));
    await mesh.apply(reviews(''));
    await register();
    await mesh.until(async () => (await text()) === 'the shop');
    const { body } = await mesh.call<{ warnings: { message: string }[] }>(
      'POST',
      `/revisions/${first.revision}/rollback`,
      '{}',
    );
    expect(body.warnings.map(({ message }) => message).join()).to.contain('"shop.default", which has instances');
    expect(await text()).to.equal('the shop');
    const problems = () => mesh.call<{ items: { service: string; message: string }[] }>('GET', '/problems');
    expect((await problems()).body.items.map(({ service, message }) => `${service}: ${message}`)).to.deep.equal([
      'reviews: alias "shop" is the name of the service "shop.default", which has instances: it leads there until these are gone',
    ]);
    // The agent asks for the name as long as it lives: that keeps no service alive whose name another one has.
    await deregister();
    await mesh.until(async () => (await text()) === 'reviews v1');
    expect((await problems()).body.items).to.deep.equal([]);
  });

  it('takes the name of a service that is only there because agents ask for it', async () => {
    await register();
    await mesh.until(async () => (await text()) === 'the shop');
    await deregister();
    await mesh.until(async () => (await web.get('shop')).status === 503);
    expect((await mesh.apply(reviews('shop'))).status).to.equal(200);
    expect(await text()).to.equal('reviews v1');
  });

  it('is still one when the control plane starts again, before the agents that ask for it are back', async () => {
    await mesh.apply(reviews('shop'));
    await mesh.until(async () => (await text()) === 'reviews v1');
    await mesh.restartServer();
    const fresh = await mesh.startCaller('web', 'web-2');
    expect((await fresh.get('shop')).text).to.equal('reviews v1');
    expect(await text()).to.equal('reviews v1');
  });
});
