/** Services that nobody has any more, while a client of everything is connected. */
import { expect } from 'chai';
import { typeUrls } from '../../proto/type-urls.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';
import { heldAs, XdsClient } from '../support/xds-client.ts';

describe('a service whose last instance goes', () => {
  let mesh: Mesh;

  beforeEach(async () => {
    mesh = await startMesh();
  });

  afterEach(() => mesh.close());

  it('goes, though a client has everything, and names all that it was told of', async () => {
    const body = JSON.stringify({ address: '127.0.0.1', port: 80, ttl: '5m' });
    await mesh.call('PUT', '/services/reviews/instances/r1', body);
    const client = new XdsClient(mesh.server.grpc);
    const names = {
      [typeUrls.endpoint]: ['reviews.default|http|'],
      [typeUrls.routeConfiguration]: ['reviews.default:80'],
    };
    const cluster = heldAs(typeUrls.cluster, 'reviews.default|http|');
    const has = (isThere: boolean) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (client.held.has(cluster) === isThere) resolve();
        };
        client.onResponse = look;
        look();
      });
    client.follow('envoy-1', [typeUrls.cluster]);
    for (const [typeUrl, resourceNamesSubscribe] of Object.entries(names)) {
      client.send({ typeUrl, resourceNamesSubscribe });
    }
    await has(true);
    await mesh.call('DELETE', '/services/reviews/instances/r1');
    await has(false);
    const { body: answer } = await mesh.call<{ items: unknown[] }>('GET', '/services');
    expect(answer.items).to.deep.equal([]);
    client.close();
  });
});
