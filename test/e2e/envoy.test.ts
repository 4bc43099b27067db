/** Envoy as a sidecar of the mesh: the real program, by each form of xDS. */
import { expect } from 'chai';
import { type Envoy, skipUnlessEnvoy, startEnvoy } from '../support/envoy.ts';
import { Processes } from '../support/processes.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';

const rules = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { ports: [ { name: http, port: 9080 } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec:
  service: reviews
  rules:
    - { name: tester, match: [ { headers: { x-user: { exact: tester } } } ], backends: [ { subset: v2 } ] }
    - { name: beta, match: [ { path: { prefix: /beta } } ], backends: [ { subset: v2 } ] }
    - { name: rest, backends: [ { subset: v1 } ] }
`;

for (const mode of ['delta', 'sotw'] as const) {
  describe(`an Envoy by ${mode} on the aggregated stream`, function () {
    this.timeout(60_000);
    let mesh: Mesh;
    let envoy: Envoy;
    const processes = new Processes();

    before(async function () {
      skipUnlessEnvoy(this);
      mesh = await startMesh();
      for (const version of ['v1', 'v2']) await mesh.startInstance('reviews', version);
      await mesh.apply(rules);
      envoy = await startEnvoy(processes, { server: mesh.server.grpc, mode });
    });
    after(async () => {
      await processes.close();
      await mesh?.close();
    });

    for (const { host, path = '/', headers = {}, want } of [
      { host: 'reviews', want: 'reviews v1' },
      { host: 'reviews:9080', want: 'reviews v1' },
      { host: 'Reviews.Default', want: 'reviews v1' },
      { host: 'reviews.default.mesh.local:9080', want: 'reviews v1' },
      { host: 'reviews.', want: 'reviews v1' },
      { host: 'reviews', path: '/beta/x', want: 'reviews v2' },
      { host: 'reviews', path: '/betamax', want: 'reviews v1' },
      { host: 'reviews', headers: { 'x-user': 'tester' }, want: 'reviews v2' },
    ]) {
      it(`${host}${path} ${JSON.stringify(headers)} goes to ${want}`, async () => {
        const { status, body } = await envoy.get(host, path, { headers });
        expect({ status, body }).to.deep.equal({ status: 200, body: want });
      });
    }

    it('answers what is no service as an agent does', async () => {
      const { status, headers, body } = await envoy.get('nobody');
      expect({ status, reason: headers['x-sluice-reason'], body }).to.deep.equal({
        status: 404,
        reason: 'no-route',
        body: 'nobody is no service of the mesh, or no rule of it takes this request\n',
      });
    });
  });
}
