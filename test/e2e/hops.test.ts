/** The mode of a service is switched while requests run: who passes them, and that none of them notices. */
import { expect } from 'chai';
import { ask } from '../support/ask.ts';
import { CountingAgent } from '../support/counting-agent.ts';
import { type Hops, hopWalk } from '../support/hop-walk.ts';
import { PlainLoad } from '../support/plain-load.ts';
import { type AgentProcess, Processes, type ServerProcess } from '../support/processes.ts';
import { startReviewsMesh } from '../support/reviews-mesh.ts';

const documents = (hops: Hops) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { hops: ${hops} }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [ { backends: [ { subset: v1, weight: 100 }, { subset: v2, weight: 0 } ] } ] }
`;

const callers = 16;

describe('hops', () => {
  const processes = new Processes();
  let server: ServerProcess;
  let web: AgentProcess;
  let beside: readonly AgentProcess[];
  let connections: CountingAgent;

  before(async () => {
    const besideOf = (application: string) => ['--app-advertise', application];
    ({ server, web, beside } = await startReviewsMesh(processes, { besideOf }));
  });

  after(() => processes.close());

  beforeEach(() => {
    connections = new CountingAgent(callers);
  });

  afterEach(() => connections.destroy());

  async function apply(hops: Hops): Promise<string[]> {
    const response = await fetch(`${server.api}/api/v1/apply?wait=10s`, {
      method: 'POST',
      headers: { 'content-type': 'application/yaml' },
      body: documents(hops),
    });
    const body = (await response.json()) as {
      rollout: { pending: unknown[]; rejected: unknown[] };
      warnings: { message: string }[];
    };
    expect(response.status, JSON.stringify(body)).to.equal(200);
    expect([...body.rollout.pending, ...body.rollout.rejected]).to.deep.equal([]);
    return body.warnings.map(({ message }) => message);
  }

  async function get(): Promise<string> {
    const { status, body } = await ask({ at: web.outbound, host: 'reviews', agent: connections });
    if (status !== 200) throw new Error(`${status} ${body}`);
    return String(JSON.parse(body).version);
  }

  /** Requests that the agents of the instances have carried. */
  async function carried(): Promise<number> {
    const stats = await Promise.all(
      beside.map(async ({ admin }) => (await fetch(`http://${admin}/stats`)).json() as Promise<Stats>),
    );
    return stats.reduce((sum, { traffic }) => sum + (traffic.inbound?.requests ?? 0), 0);
  }

  for (const { hops, byAgent, versions, warnings } of [
    { hops: 'both', byAgent: 20, versions: ['v1'], warnings: 0 },
    { hops: 'client', byAgent: 0, versions: ['v1'], warnings: 0 },
    { hops: 'server', byAgent: 20, versions: ['v1', 'v2'], warnings: 1 },
    { hops: 'direct', byAgent: 0, versions: ['v1', 'v2'], warnings: 2 },
  ] as const) {
    it(`${hops}: ${byAgent === 0 ? 'leaves out' : 'goes by'} the agents of instances, and ${warnings === 0 ? 'applies' : 'leaves out'} the rules`, async () => {
      expect(await apply(hops)).to.have.length(warnings);
      const before = await carried();
      const answers = new Set<string>();
      for (let count = 0; count < 20; count++) answers.add(await get());
      expect([...answers].sort()).to.deep.equal(versions);
      expect((await carried()) - before).to.equal(byAgent);
    });
  }

  it('switch each to each other one under 2,000 requests a second: none fails, and no connection is closed', async () => {
    await apply('both');
    await get();
    const load = new PlainLoad({ at: web.outbound, host: 'reviews', connections: callers, perSecond: 2_000 });
    load.start();
    for (const hops of hopWalk) {
      // Also when nothing but the mode changes, it says what callers leave out.
      expect((await apply(hops)).length > 0).to.equal(hops === 'server' || hops === 'direct');
      const before = load.answered;
      while (load.answered < before + 400 && Object.keys(load.failures).length === 0) await pause(5);
    }
    const { rate, closed, failures } = load;
    await load.stop();
    console.log(`      ${load.answered} requests, ${rate}/s`);
    expect({ closed, failures }).to.deep.equal({ closed: 0, failures: {} });
  }).timeout(60_000);
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Stats {
  readonly traffic: { readonly inbound?: { readonly requests: number } };
}
