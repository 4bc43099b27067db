/**
 * The mode of a service is switched while applications that know nothing of the mesh ask it, on hosts of their own with an
 * agent beside each: by its name, which DNS resolves, and by the address of an instance; on connections that are kept and on new ones.
 */
import { join } from 'node:path';
import { expect } from 'chai';
import { type Hops, hopWalk } from '../support/hop-walk.ts';
import { type NetworkNamespace, NetworkNamespaces, skipUnlessNamespaces } from '../support/network-namespaces.ts';
import { asUser, sluice, startControlPlane } from '../support/plain-applications.ts';
import { Processes, top } from '../support/processes.ts';
import type { TestProcess } from '../support/test-process.ts';

/** The port of the service is that of the instance: who dials the instance itself has no other. */
const rules = (hops: Hops) => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { hops: ${hops}, ports: [ { name: http, port: 12221 } ] }
`;

const application = `
const { createServer } = require('node:http');
createServer({ keepAliveTimeout: 60000 }, (_request, response) => response.end('v1')).listen(12221, '::', () => console.log('ready'));
`;

interface Seen {
  readonly kept: number;
  readonly fresh: number;
  readonly closed: number;
  readonly failures: Readonly<Record<string, number>>;
}

describe('hops, while packet rules bring applications to their agents', function () {
  this.timeout(90_000);
  const processes = new Processes();
  const network = new NetworkNamespaces(processes);
  const api = 'http://127.0.0.1:7070/api/v1';
  let caller: NetworkNamespace;
  let callee: NetworkNamespace;

  async function startAgent(host: NetworkNamespace, flags: readonly string[]): Promise<void> {
    const state = ['--state-dir', processes.makeFolder(`state-${flags[1]}`)];
    const common = ['--server', '10.78.0.2:15010', '--intercept', 'nftables', ...state];
    const started = processes.start(host.inside([...sluice, 'agent', ...flags, ...common]), { name: 'agent' });
    await started.says(/"msg":"ready/);
  }

  /** What it warned of. */
  async function apply(hops: Hops): Promise<readonly string[]> {
    const curl = ['curl', '--silent', '-X', 'POST', '-H', 'content-type: application/yaml', '--data-binary', '@-'];
    const result = await callee.run([...curl, `${api}/apply?wait=10s`], rules(hops));
    const { rollout, warnings } = JSON.parse(result?.stdout ?? '') as {
      rollout: { pending: unknown[]; rejected: unknown[] };
      warnings: { message: string }[];
    };
    expect([...rollout.pending, ...rollout.rejected]).to.deep.equal([]);
    return warnings.map(({ message }) => message);
  }

  before(async function () {
    skipUnlessNamespaces(this, 'nft', 'curl', 'setpriv');
    [caller, callee] = [network.add('caller'), network.add('callee')];
    network.connect({ of: caller, addresses: ['10.78.0.1/24'] }, { of: callee, addresses: ['10.78.0.2/24'] });
    // A name server that nobody is at: its questions are the agent's.
    caller.resolveBy('10.78.0.2');
    const app = processes.start(callee.inside([process.execPath, '-e', application]), { name: 'application' });
    await app.says(/ready/);
    await startControlPlane(processes, { on: callee, address: '10.78.0.2' });
    const beside = ['--service', 'reviews', '--id', 'reviews-1', '--app', '10.78.0.2:12221'];
    const advertised = ['--advertise', '10.78.0.2', '--app-advertise', '10.78.0.2:12221'];
    await Promise.all([startAgent(callee, [...beside, ...advertised]), startAgent(caller, ['--service', 'web'])]);
    await apply('both');
  });
  after(async () => {
    await processes.close();
    network.close();
  });

  it('say by name which agents they cannot leave out', async () => {
    expect((await apply('client')).join()).to.contain('requests go on to pass the agents of "reviews-1"');
    expect(await apply('both')).to.deep.equal([]);
  });

  it('switch each to each other one while requests run: none fails, and no connection is closed', async () => {
    const urls = ['http://reviews:12221/', 'http://10.78.0.2:12221/'];
    const keeper = join(top, 'test/support/network/keeper.mjs');
    const command = [...asUser(2000), process.execPath, keeper, '4', ...urls];
    const running = processes.start(caller.inside(command), { name: 'keeper' });
    await moreThan(running, { kept: 0, fresh: 0 });
    for (const hops of hopWalk) {
      await apply(hops);
      const { kept, fresh } = await seenBy(running);
      await moreThan(running, { kept: kept + 200, fresh: fresh + 20 });
    }
    const { closed, failures } = await seenBy(running);
    expect({ closed, failures }).to.deep.equal({ closed: 0, failures: {} });
  });
});

async function seenBy(keeper: TestProcess): Promise<Seen> {
  const before = keeper.stdout.length;
  keeper.write('\n');
  const line = await keeper.until('say what it has seen', () => /^.*\n/.exec(keeper.stdout.slice(before))?.[0]);
  return JSON.parse(line);
}

/** Resolves when so many have been answered, or one has failed. */
async function moreThan(keeper: TestProcess, wanted: Pick<Seen, 'kept' | 'fresh'>): Promise<void> {
  for (;;) {
    const { kept, fresh, failures } = await seenBy(keeper);
    if ((kept > wanted.kept && fresh > wanted.fresh) || Object.keys(failures).length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
