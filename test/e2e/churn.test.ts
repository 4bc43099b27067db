import { expect } from 'chai';
import { type ChurnOptions, type ChurnResult, churn } from '../support/churn/churn.ts';
import { skipUnlessEnvoy, startEnvoy } from '../support/envoy.ts';
import { startLoad } from '../support/envoy-load.ts';
import { type ServerProcess, useProcesses } from '../support/processes.ts';
import { App } from '../support/start-mesh.ts';

describe('a control plane whose clients come and go while everything changes', () => {
  const processes = useProcesses();

  async function endsWell(options: ChurnOptions): Promise<ChurnResult> {
    const result = await churn(processes, options);
    console.log(`      ${JSON.stringify(result)}`);
    expect(result).to.deep.include({ wrong: 0, streamsLeft: 0, queueLeft: 0 });
    // A wait has 10 s: then it is answered with who is late. On a machine that does nothing else it takes some 20 ms.
    expect(result.waitMs.longest).to.be.below(20_000);
    expect(result.longestQueue).to.be.at.most(options.clients + 1);
    expect(result.memoryMb.after).to.be.below(result.memoryMb.before * 1.5 + 40);
    return result;
  }

  it('keeps all who stay up to date, lets no wait hang, and has its memory back', async () => {
    const perSecond = { instances: 200, applies: 10 };
    await endsWell({ ms: 6_000, services: 50, clients: 50, replaceEveryMs: 20, perSecond });
  }).timeout(90_000);

  it('does so in a storm: 1,000 changes of instances and 50 applies a second', async () => {
    const perSecond = { instances: 1_000, applies: 50 };
    const result = await endsWell({ ms: 4_500, services: 50, clients: 20, replaceEveryMs: 500, perSecond });
    // What is too much for a machine that does other things, too, comes later; it has to come at all.
    expect(result.instanceChangesPerSecond).to.be.above(50);
    expect(result.appliesPerSecond).to.be.above(5);
  }).timeout(90_000);

  it('keeps an Envoy among them in step, which refuses nothing, waits for nothing and fails no request', async function () {
    this.timeout(90_000);
    skipUnlessEnvoy(this);
    const apps = ['v1', 'v2', 'v3'].map((version) => new App(version));
    const applications = await Promise.all(apps.map((app) => app.listen()));
    const seen: Record<string, unknown> = {};
    const companion = async (server: ServerProcess) => {
      const envoy = await startEnvoy(processes, { server: server.grpc });
      const load = startLoad(envoy, (asked) => envoy.get('service-0', '/', asked), 2);
      const end = async () => {
        await load.end();
        await envoy.until(async () => (await envoy.sum(/warming_clusters$|total_listeners_warming$/)) === 0);
        seen.rejected = await envoy.sum(/update_rejected$/);
        seen.updates = await envoy.sum(/^cluster_manager\.cds\.update_success$|^cluster\..*\.update_success$/);
        seen.failures = load.failures;
        seen.answers = load.answers;
        await envoy.process.kill();
      };
      return { end };
    };
    const perSecond = { instances: 200, applies: 20 };
    const options = { ms: 4_500, services: 20, clients: 10, replaceEveryMs: 200, perSecond, applications, companion };
    await endsWell(options);
    await Promise.all(apps.map((app) => app.close()));
    console.log(`      ${JSON.stringify(seen)}`);
    expect(seen).to.deep.include({ rejected: 0, failures: {} });
    // Which of the rules meet this service is drawn; all of them have v1.
    expect(seen.answers).to.include.keys('v1');
    expect(seen.updates).to.be.above(100);
  });
});
