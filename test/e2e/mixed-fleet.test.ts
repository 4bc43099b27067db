/** One service, called from behind our agent, from behind an Envoy, and by a gRPC library without sidecar: one apply moves them all. */
import { expect } from 'chai';
import { type Envoy, skipUnlessEnvoy, startEnvoy } from '../support/envoy.ts';
import { EchoServer } from '../support/grpc/echo-server.ts';
import { type GrpcClient, grpcJs, type Outcome, startGrpcClient } from '../support/grpc/grpc-client.ts';
import { Processes } from '../support/processes.ts';
import { App, type Caller, type Mesh, startMesh } from '../support/start-mesh.ts';

const service = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { ports: [ { name: http, port: 9080 }, { name: grpc, port: 9090, protocol: grpc } ] }
`;

/** All requests and calls of the service to one version: one revision. */
const all = (version: string) =>
  ['http', 'grpc']
    .map(
      (port) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews-${port} }
spec: { service: reviews, port: ${port}, rules: [ { backends: [ { subset: ${version} } ] } ] }
`,
    )
    .join('---');

const calls = { target: 'xds:///reviews.default:9090', method: '/echo.Echo/Say' } as const;

describe('a fleet of agents, Envoys and gRPC clients', function () {
  this.timeout(90_000);
  const processes = new Processes();
  const closing: (() => unknown)[] = [];
  let mesh: Mesh;
  let agent: Caller;
  let envoy: Envoy;
  let grpc: GrpcClient;

  before(async function () {
    skipUnlessEnvoy(this);
    mesh = await startMesh({ loadReportInterval: '1s' });
    await mesh.apply(service, '');
    for (const version of ['v1', 'v2']) {
      const app = new App(`reviews ${version}`);
      const echo = new EchoServer(version);
      closing.push(
        () => app.close(),
        () => echo.close(),
      );
      const body = {
        address: '127.0.0.1',
        ports: { http: await app.listen(), grpc: await echo.listen() },
        labels: { version },
        ttl: '5m',
      };
      const { status } = await mesh.call('PUT', `/services/reviews/instances/${version}`, JSON.stringify(body));
      expect(status).to.equal(201);
    }
    await mesh.apply(all('v1'), '');
    agent = await mesh.startCaller('web', 'web-agent');
    envoy = await startEnvoy(processes, { server: mesh.server.grpc, id: 'web-envoy' });
    const options = { servers: [mesh.server.grpc], service: 'web', namespace: 'default', id: 'web-grpc', zone: '' };
    grpc = startGrpcClient(grpcJs, mesh.folder, options);
  });

  after(async () => {
    await grpc?.close();
    await processes.close();
    for (const close of closing) await close();
    await mesh?.close();
  });

  it('moves as one with an apply, and no request of anybody fails', async () => {
    const failed: string[] = [];
    let isOver = false;
    const asking = async (ask: () => Promise<{ readonly status: number; readonly text: string }>) => {
      while (!isOver) {
        const { status, text } = await ask();
        if (status !== 200) failed.push(`${status} ${text}`);
      }
    };
    const throughEnvoy = async () => {
      const { status, body } = await envoy.get('reviews');
      return { status, text: body };
    };
    // Who has not asked for the service yet does not count for it.
    await agent.get('reviews');
    await grpc.calls({ ...calls, times: 1 });
    const load = await grpc.load(calls);
    const loads = [asking(() => agent.get('reviews')), asking(throughEnvoy)];
    const seen: Outcome[] = [];
    for (const version of ['v2', 'v1', 'v2']) {
      const { body } = await mesh.apply(all(version));
      expect(body.rollout).to.deep.include({ agents: 3, applied: 3, pending: [], rejected: [] });
      // Who has applied it goes by it, from the next request on; a gRPC library swaps a moment after it has said so.
      expect((await agent.get('reviews')).text).to.equal(`reviews ${version}`);
      expect((await throughEnvoy()).text).to.equal(`reviews ${version}`);
      await mesh.until(async () => {
        const outcome = await grpc.calls({ ...calls, times: 10 });
        seen.push(outcome);
        return Object.keys(outcome.peers).join() === version;
      });
    }
    isOver = true;
    await Promise.all(loads);
    const { codes } = await load.stop();
    expect(failed).to.deep.equal([]);
    expect(Object.keys(codes)).to.deep.equal(['0']);
    expect(seen.flatMap((outcome) => Object.keys(outcome.codes)).filter((code) => code !== '0')).to.deep.equal([]);
  });

  it('reports what each sends where, through one door', async () => {
    for (const { client, cluster, send } of [
      { client: 'web-agent', cluster: 'reviews.default|http|v2', send: () => agent.get('reviews') },
      { client: 'web-envoy', cluster: 'reviews.default|http|v2', send: () => envoy.get('reviews') },
      { client: 'web-grpc', cluster: 'reviews.default|grpc|v2', send: () => grpc.calls({ ...calls, times: 10 }) },
    ]) {
      await mesh.until(async () => {
        await send();
        const { body } = await mesh.call<{ items: { cluster: string; requestsPerSecond: number }[] }>(
          'GET',
          `/load?client=${client}`,
        );
        return body.items.some((load) => load.cluster === cluster && load.requestsPerSecond > 0);
      });
    }
  });

  it('is shown with what each is, and what each uses', async () => {
    const { body } = await mesh.call<{
      items: { id: string; kind: string; state: string; revision: { sent: number; applied: number } }[];
    }>('GET', '/agents');
    const sent = body.items.filter(({ revision: { sent, applied } }) => sent < applied);
    expect(sent, 'who uses what it was not sent').to.deep.equal([]);
    const shown = body.items.filter(({ id }) => id.startsWith('web-'));
    const { revision } = (await mesh.apply(all('v2'), '')).body;
    expect(shown.map(({ id, state, revision: { applied } }) => ({ id, state, applied }))).to.have.deep.members([
      { id: 'web-agent', state: 'current', applied: revision },
      { id: 'web-envoy', state: 'accepted', applied: revision },
      { id: 'web-grpc', state: 'accepted', applied: revision },
    ]);
    expect(shown.find(({ id }) => id === 'web-envoy')?.kind).to.equal('envoy');
    expect(shown.find(({ id }) => id === 'web-grpc')?.kind).to.match(/^gRPC/);
  });
});
