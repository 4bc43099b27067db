/** An Envoy that is stopped while rules change: no wait for it is long enough, and it goes on in order all the same. */
import { expect } from 'chai';
import { type Envoy, skipUnlessEnvoy, startEnvoy } from '../support/envoy.ts';
import { startLoad } from '../support/envoy-load.ts';
import { Processes } from '../support/processes.ts';
import { type Mesh, route, startMesh } from '../support/start-mesh.ts';

const service = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { ports: [ { name: http, port: 9080 } ] }
`;

for (const mode of ['delta', 'sotw'] as const) {
  describe(`an Envoy by ${mode} that is stopped`, () => {
    let mesh: Mesh;
    let envoy: Envoy;
    const processes = new Processes();

    before(async function () {
      skipUnlessEnvoy(this);
      mesh = await startMesh();
      await mesh.apply([service, route('reviews', { v1: 1 })].join('---'), '');
      for (const version of ['v1', 'v2']) await mesh.startInstance('reviews', version);
      envoy = await startEnvoy(processes, { server: mesh.server.grpc, mode });
    });
    after(async () => {
      await processes.close();
      await mesh?.close();
    });

    // Longer than an answer is waited for; and than what is taken away is kept.
    for (const seconds of [9, 38]) {
      it(`for ${seconds} s while its subset is replaced fails no request when it goes on`, async () => {
        const load = startLoad(envoy);
        for (const version of ['v2', 'v1']) {
          process.kill(envoy.process.pid, 'SIGSTOP');
          await mesh.apply(route('reviews', { [version]: 1 }), '');
          await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
          process.kill(envoy.process.pid, 'SIGCONT');
          await envoy.until(async () => (await envoy.get('reviews')).body === `reviews ${version}`);
        }
        await load.end();
        expect(load.failures).to.deep.equal({});
      });
    }
  });
}
