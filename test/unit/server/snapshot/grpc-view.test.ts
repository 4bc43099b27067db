import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { GrpcView } from '../../../../server/snapshot/grpc-view.ts';
import type { SnapshotChange } from '../../../../server/snapshot/snapshot-cache.ts';
import { SubscriptionIndex } from '../../../../server/xds/subscription-index.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

const { listener, routeConfiguration, endpoint, cluster } = typeUrls;

const serviceOf = (name: string, namespace: string, fields = '') => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ports: [ { name: grpc, port: 9080, protocol: grpc } ] ${fields} }
`;

/** The newest change, by whom it was made. */
function recorded(mesh: ModelMesh): () => SnapshotChange {
  const changes: SnapshotChange[] = [];
  mesh.onChange((change) => changes.push(change));
  return () => {
    const last = changes.at(-1);
    if (last === undefined) throw new Error('nothing has changed');
    return last;
  };
}

describe('the mesh as gRPC clients see it', () => {
  it('gives a short name the meaning that it has in the namespace of the client', () => {
    const mesh = new ModelMesh();
    mesh.apply(serviceOf('reviews', 'default'));
    mesh.apply(serviceOf('reviews', 'prod'));
    for (const namespace of ['default', 'prod']) {
      const view = new GrpcView(mesh.cache, namespace);
      expect(String(view.resource(listener, 'reviews:9080')?.bytes)).to.contain(`reviews.${namespace}:9080`);
      expect(view.ownerOf(listener, 'reviews:9080')).to.equal(`reviews.${namespace}`);
    }
    expect(new GrpcView(mesh.cache, 'test').resource(listener, 'reviews:9080')).to.equal(undefined);
  });

  it('means nothing by a wildcard', () => {
    const mesh = new ModelMesh();
    mesh.apply(serviceOf('reviews', 'default'));
    expect([...new GrpcView(mesh.cache, 'default').resources()]).to.deep.equal([]);
  });

  it('tells of a service that comes what clients of its namespace, and of others, may have asked for', () => {
    const mesh = new ModelMesh();
    const newest = recorded(mesh);
    mesh.apply(serviceOf('reviews', 'default'));
    const namesFor = (namespace: string) =>
      new GrpcView(mesh.cache, namespace)
        .changes(newest())
        .filter(({ typeUrl }) => typeUrl === listener)
        .map(({ name }) => name)
        .sort();
    const full = ['reviews.default', 'reviews.default.mesh.local'].flatMap((name) => [name, `${name}:9080`]);
    expect(namesFor('default')).to.deep.equal([...full, 'reviews', 'reviews:9080'].sort());
    expect(namesFor('prod')).to.deep.equal(full.sort());
  });

  it('gives an alias back to its service when a service of that name goes', () => {
    const mesh = new ModelMesh();
    const newest = recorded(mesh);
    const view = new GrpcView(mesh.cache, 'default');
    const routesOf = () => String(view.resource(listener, 'ratings.default:9080')?.bytes ?? '');
    mesh.apply(serviceOf('reviews', 'default', ', aliases: [ ratings ]'));
    expect(routesOf()).to.contain('reviews.default:9080');
    mesh.put(instanceOf('ratings', 'a'));
    // It has the one port 80.
    expect(routesOf()).to.equal('');
    mesh.remove('ratings', 'a');
    expect(routesOf()).to.contain('reviews.default:9080');
    const change = view.changes(newest()).find(({ name }) => name === 'ratings.default');
    expect(change?.after).to.equal(view.resource(listener, 'ratings.default'));
  });

  it('finds the service of routes, clusters and endpoints by their names', () => {
    const view = new GrpcView(new ModelMesh().cache, 'default');
    expect(view.ownerOf(routeConfiguration, 'reviews.prod:80')).to.equal('reviews.prod');
    for (const typeUrl of [cluster, endpoint]) expect(view.ownerOf(typeUrl, 'a.b|http|v1')).to.equal('a.b');
  });

  it('is found by a change that gives the name that was dialled a meaning', () => {
    const mesh = new ModelMesh();
    const newest = recorded(mesh);
    const view = new GrpcView(mesh.cache, 'default');
    for (const [dialled, document] of [
      ['an.alias:9080', serviceOf('reviews', 'default', ', aliases: [ an.alias ]')],
      ['later.default.mesh.local:9080', serviceOf('later', 'default')],
      ['short:9080', serviceOf('short', 'default')],
    ] as const) {
      const index = new SubscriptionIndex<string>(() => {});
      index.interestOf('stream').holdService(view.ownerOf(listener, dialled));
      expect(view.resource(listener, dialled)).to.equal(undefined);
      mesh.apply(document);
      expect([...index.concernedBy(newest())]).to.deep.equal(['stream']);
      expect(view.changes(newest()).map(({ name }) => name)).to.include(dialled);
      expect(view.resource(listener, dialled)).not.to.equal(undefined);
    }
  });
});
