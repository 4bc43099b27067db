import { expect } from 'chai';
import { RouteConfiguration } from '../../../../proto/types.ts';
import { problemsOf } from '../../../../server/snapshot/variants.ts';
import { ModelMesh } from '../../../support/model-mesh.ts';

const documents = (protocol: string) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { ports: [ { name: web, port: 80, protocol: ${protocol} } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec:
  service: reviews
  allowEmpty: true
  rules:
    - { name: beta, match: [ { headers: { x-beta: { present: true } } } ], backends: [ { subset: v2 } ] }
    - { name: old, match: [ { path: { exact: /old } } ], redirect: { path: { full: /new } } }
    - { name: rest, timeout: 1s, backends: [ { subset: v1, weight: 90 }, { subset: v2, weight: 10 } ] }
`;

function snapshotOf(protocol: string) {
  const mesh = new ModelMesh();
  mesh.apply(documents(protocol));
  const snapshot = mesh.cache.service('reviews.default');
  if (snapshot === undefined) throw new Error('no service');
  return snapshot;
}

describe('a port of HTTP/2 to agents', () => {
  for (const protocol of ['http2', 'grpc']) {
    it(`of protocol ${protocol} is bytes: a backend by connection, by the rules without a condition`, () => {
      const resource = snapshotOf(protocol).resources.get(RouteConfiguration.typeUrl)?.get('reviews.default:80');
      const routes = resource && RouteConfiguration.decode(resource.bytes).virtualHosts[0]?.routes;
      expect(routes?.map(({ name, route }) => [name, route?.timeout?.seconds?.toString()])).to.deep.equal([
        ['reviews/rest', '0'],
      ]);
    });

    it(`of protocol ${protocol} is named, with all that it leaves out`, () => {
      expect(
        problemsOf(snapshotOf(protocol), 'agent').map(({ path, sentence }) => `${path}: ${sentence}`),
      ).to.deep.equal([
        'spec.ports[0].protocol: agents pass connections to port "web" of reviews on as bytes: they choose an instance for each connection, not for each request',
        'spec.rules[0].match[0]: agents pass connections to port "web" of reviews on as bytes: no connection meets this condition',
        'spec.rules[1].match[0]: agents pass connections to port "web" of reviews on as bytes: no connection meets this condition',
        'spec.rules[1].redirect: agents pass connections to port "web" of reviews on as bytes: this rule takes none of them',
        'spec.rules[2].timeout: agents pass connections to port "web" of reviews on as bytes: timeout does not count for them',
      ]);
    });
  }

  it('is no problem when it is HTTP/1', () => expect(problemsOf(snapshotOf('http'), 'agent')).to.deep.equal([]));
});
