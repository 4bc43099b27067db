/** Splits and rule changes under load, with real processes. */
import { expect } from 'chai';
import { ask } from '../support/ask.ts';
import { CountingAgent } from '../support/counting-agent.ts';
import { type AgentProcess, type ServerProcess, useProcesses } from '../support/processes.ts';
import { startReviewsMesh } from '../support/reviews-mesh.ts';
import { changeRulesUnderLoad } from '../support/rule-changes/rule-change-run.ts';

const route = (v1: number, v2: number) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [ { backends: [ { subset: v1, weight: ${v1} }, { subset: v2, weight: ${v2} } ] } ] }
`;

const callers = 8;

describe('real processes under load', () => {
  const processes = useProcesses();
  let server: ServerProcess;
  let web: AgentProcess;
  let connections: CountingAgent;

  beforeEach(async () => {
    ({ server, web } = await startReviewsMesh(processes));
    connections = new CountingAgent(callers);
    await get();
  });

  afterEach(() => connections.destroy());

  /** The version that answered; anything but 200 is a failure. */
  async function get(): Promise<string> {
    const { status, body } = await ask({ at: web.outbound, host: 'reviews', agent: connections });
    if (status !== 200) throw new Error(`${status} ${body}`);
    return String(JSON.parse(body).version);
  }

  async function apply(text: string): Promise<void> {
    const response = await fetch(`${server.api}/api/v1/apply?wait=10s`, {
      method: 'POST',
      headers: { 'content-type': 'application/yaml' },
      body: text,
    });
    const { rollout } = (await response.json()) as { rollout: { pending: unknown[]; rejected: unknown[] } };
    expect([...rollout.pending, ...rollout.rejected]).to.deep.equal([]);
  }

  it('split 10,000 requests through one agent exactly: 90/10 gives 1,000 to v2, give or take 1', async () => {
    await apply(route(90, 10));
    const counts: Record<string, number> = {};
    let asked = 0;
    const asking = async () => {
      while (asked++ < 10_000) {
        const version = await get();
        counts[version] = (counts[version] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: callers }, asking));
    expect(counts.v2).to.be.within(999, 1_001);
    expect((counts.v1 ?? 0) + (counts.v2 ?? 0)).to.equal(10_000);
  }).timeout(60_000);
});

describe('real processes under a heavy load', () => {
  const processes = useProcesses();

  it('fail no request, close no connection and split exactly while random rule changes are applied', () =>
    changeRulesUnderLoad(processes, { changes: 40, everyMs: 125, requestsPerSecond: 5_000 })).timeout(120_000);
});
