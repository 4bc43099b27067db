/** Connections that are open while an agent comes to a host and goes again, where nothing else makes the kernel track connections. */
import { join } from 'node:path';
import { expect } from 'chai';
import {
  type HeldConnections,
  type NetworkNamespace,
  NetworkNamespaces,
  skipUnlessNamespaces,
} from '../support/network-namespaces.ts';
import {
  asUser,
  printed,
  registerInstance,
  sluice,
  startApplication,
  startControlPlane,
} from '../support/plain-applications.ts';
import { Processes, top } from '../support/processes.ts';
import type { TestProcess } from '../support/test-process.ts';

for (const backend of ['nftables', 'iptables'] as const) {
  describe(`connections of a host to which an agent comes by ${backend}`, function () {
    this.timeout(60_000);
    const processes = new Processes();
    const network = new NetworkNamespaces(processes);
    after(async () => {
      await processes.close();
      network.close();
    });

    let bare: NetworkNamespace;
    let far: NetworkNamespace;

    before(async function () {
      skipUnlessNamespaces(this, backend === 'nftables' ? 'nft' : 'iptables-restore', 'curl', 'setpriv');
      [bare, far] = [network.add('bare'), network.add('far')];
      network.connect(
        { of: bare, addresses: ['10.75.0.1/24', 'fd75::1/64'] },
        { of: far, addresses: ['10.75.0.2/24', 'fd75::2/64'] },
      );
      await Promise.all([
        startControlPlane(processes, { on: far, address: '10.75.0.2' }),
        startApplication(processes, { on: far, name: 'v1', port: 9080 }),
        bare.serve('bare', ['kept/8080', 'kept/9100']),
        far.serve('far', ['kept/80']),
      ]);
    });

    async function startAgent(id: string): Promise<TestProcess> {
      const state = ['--state-dir', processes.makeFolder(id), '--id', id];
      const flags = ['--service', 'web', '--app', '127.0.0.1:8080', '--advertise', '10.75.0.1', ...state];
      const command = [...sluice, 'agent', ...flags, '--server', '10.75.0.2:15010', '--intercept', backend];
      const agent = processes.start(bare.inside(command), { name: 'agent' });
      await agent.says(/"msg":"ready/);
      return agent;
    }

    it('go on when it starts and while it ends, and new ones are never refused', async () => {
      const outward = ['10.75.0.2', 'fd75::2'].map((to) => ({ to, port: 80 }));
      // Of another application than that of the agent.
      const inward = ['10.75.0.1', 'fd75::1'].map((to) => ({ to, port: 9100 }));
      const answers = { out: ['far:80', 'far:80'], in: ['bare:9100', 'bare:9100'] };
      const hold = async () => ({ out: await bare.hold(outward), in: await far.hold(inward) });
      const ask = async (held: Readonly<Record<'out' | 'in', HeldConnections>>) => ({
        out: await held.out.ask(),
        in: await held.in.ask(),
      });

      const older = await hold();
      expect(await ask(older)).to.deep.equal(answers);
      const agent = await startAgent('web-1');
      expect((await agent.logged('listening')).inbound).to.deep.equal(['0.0.0.0:15006']);
      expect(await ask(older)).to.deep.equal(answers);

      const brought = await hold();
      expect(await ask(brought)).to.deep.equal(answers);
      const stats = JSON.parse(await printed(bare, ['curl', '--silent', 'http://127.0.0.1:15000/stats']));
      expect([stats.traffic.outbound.openConnections, stats.traffic.inbound.openConnections]).to.deep.equal([2, 2]);

      // Callers first: the port that they were brought to closes.
      agent.signal('SIGTERM');
      await agent.logged('packet rules bring no callers any more');
      const withoutCallers = await hold();
      for (const held of [older, brought, withoutCallers]) expect(await ask(held)).to.deep.equal(answers);
      await brought.in.end();

      await agent.logged('packet rules lead here no more');
      const straight = await hold();
      for (const held of [older, straight]) expect(await ask(held)).to.deep.equal(answers);
      for (const held of [brought, withoutCallers]) expect(await held.out.ask()).to.deep.equal(answers.out);
      await Promise.all([brought.out.end(), withoutCallers.out.end()]);

      expect((await agent.ended).code).to.equal(0);
      for (const held of [older, straight]) expect(await ask(held)).to.deep.equal(answers);
      expect(bare.dump()).to.not.match(/sluice|15001|240\.240|established/i);
    });

    it('to services lose next to no request of an application that keeps them', async () => {
      await registerInstance(far, 'reviews/reviews-v1', { address: '10.75.0.2', port: 9080, version: 'v1' });
      const agent = await startAgent('web-2');
      const application = [
        process.execPath,
        join(top, 'test/support/network/keeper.mjs'),
        '8',
        'http://10.75.0.2:9080/',
      ];
      const keeper = processes.start(bare.inside([...asUser(2000), ...application]), { name: 'keeper' });
      const seen = async (): Promise<{ kept: number; failures: Record<string, number> }> => {
        const before = keeper.stdout.length;
        keeper.write('\n');
        return JSON.parse(await keeper.until('say', () => /^(.+)\n/.exec(keeper.stdout.slice(before))?.[1]));
      };
      let before = await seen();
      while (before.kept < 100) before = await seen();
      expect((await agent.end()).code).to.equal(0);
      const { kept, failures } = await seen();
      await keeper.end();
      // Closed as they were, four or five of the eight lost one. On a busy machine one may still meet the very end.
      const lost = Object.values(failures).reduce((sum, count) => sum + count, 0);
      expect(lost, JSON.stringify(failures)).to.be.at.most(2);
      expect(kept).to.be.above(before.kept);
    });
  });
}
