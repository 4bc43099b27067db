/** `sluice intercept` as it is run on a host, with what it says when it cannot do it. */
import { expect } from 'chai';
import { checkRules, installRules, removeRules } from '../../agent/interception/interception.ts';
import { interceptionSchema } from '../../agent/interception/rules/description.ts';
import {
  type NetworkNamespace,
  NetworkNamespaces,
  onLoopback,
  skipUnlessNamespaces,
} from '../support/network-namespaces.ts';
import { Processes, programs } from '../support/processes.ts';

describe('sluice intercept', function () {
  this.timeout(60_000);
  const processes = new Processes();
  const network = new NetworkNamespaces(processes);
  const uid = ['--agent-uid', '1337'];
  let host: NetworkNamespace;
  let peer: NetworkNamespace;

  before(async function () {
    skipUnlessNamespaces(this, 'nft', 'iptables-restore', 'setpriv');
    [host, peer] = [network.add('host'), network.add('peer')];
    network.connect({ of: host, addresses: ['10.77.0.1/24'] }, { of: peer, addresses: ['10.77.0.2/24'] });
    await peer.serve('peer', ['tcp/80']);
  });
  after(async () => {
    await processes.close();
    network.close();
  });

  async function sluice(
    args: readonly string[],
    { under = [] as readonly string[], path = process.env.PATH ?? '' } = {},
  ) {
    const command = [...under, process.execPath, programs.sluice, 'intercept', ...args];
    const result = await host.run(['env', `PATH=${path}`, ...command]);
    return { code: result?.code, out: result?.stdout ?? '', err: result?.stderr ?? '' };
  }
  const dialled = () => host.dial({ to: '10.77.0.2', port: 80 });

  for (const backend of ['nftables', 'iptables']) {
    it(`installs, checks and uninstalls by ${backend}`, async () => {
      const before = await sluice(['check', ...uid, '--backend', backend]);
      expect(before.code).to.equal(1);
      expect(before.err).to.match(/missing/);
      const inPlace = { code: 0, out: `rules are in place (${backend})\n`, err: '' };
      expect(await sluice(['install', ...uid, '--backend', backend])).to.deep.equal(inPlace);
      expect(await sluice(['check', ...uid, '--backend', backend])).to.deep.equal(inPlace);
      const removed = { code: 0, out: `rules are removed (${backend})\n`, err: '' };
      expect(await sluice(['uninstall'])).to.deep.equal(removed);
      expect(await sluice(['uninstall'])).to.deep.equal({ code: 0, out: 'there are no rules\n', err: '' });
    });
  }

  it('leaves rules that refuse connections when the agent is killed, and go without them', async () => {
    await sluice(['install', ...uid]);
    const agent = await host.serve('host', onLoopback('tcp/15001'));
    expect(await dialled()).to.equal('host:15001 for 10.77.0.2:80');
    await agent.kill();
    expect(await dialled()).to.equal('ECONNREFUSED');
    expect((await sluice(['check', ...uid])).code).to.equal(0);
    await sluice(['uninstall']);
    expect(await dialled()).to.equal('peer:80');
  });

  it('names what somebody else has changed, and repairs it', async () => {
    await sluice(['install', ...uid]);
    host.sh('nft insert rule inet sluice output tcp dport 443 return; ip route flush table local 240.240.0.0/16');
    const { code, err } = await sluice(['check', ...uid]);
    expect({ code, err }).to.deep.equal({
      code: 1,
      err: 'nftables: output: unexpected: tcp dport 443 return\nroutes: missing: local 240.240.0.0/16\n',
    });
    await sluice(['install', ...uid]);
    expect((await sluice(['check', ...uid])).code).to.equal(0);
    await sluice(['uninstall']);
  });

  for (const action of ['install', 'check', 'uninstall']) {
    for (const backend of ['nftables', 'iptables']) {
      it(`says to ${action} by ${backend} that it needs root or NET_ADMIN, and changes nothing`, async () => {
        const before = host.dump();
        const under = ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin', '--'];
        const { code, err } = await sluice([action, ...uid, '--backend', backend], { under });
        expect(err)
          .to.include(`intercept ${action}: `)
          .and.include('Run it as root, or with the capability NET_ADMIN.');
        expect(code).to.equal(1);
        expect(host.dump()).to.equal(before);
      });
    }
  }

  for (const { backend, tool } of [
    { backend: 'nftables', tool: 'nft' },
    { backend: 'iptables', tool: 'iptables-save' },
  ]) {
    it(`says that ${tool} is not there, and which package has it`, async () => {
      const path = processes.makeFolder(`without-${tool}`);
      host.sh(`ln -s "$(command -v ip)" ${path}/ip`);
      const { code, err } = await sluice(['install', ...uid, '--backend', backend], { path });
      expect(err).to.include(`there is no ${tool} here. Install the package ${backend}`);
      expect(code).to.equal(1);
    });
  }

  it('prints rules that the tools take', async () => {
    const { out } = await sluice(['install', ...uid, '--dry-run']);
    const [rules = '', routes = ''] = out.split(/^(?=ip )/m);
    const taken = await host.run(['nft', '-c', '-f', '-'], rules);
    expect(taken).to.deep.include({ code: 0, stderr: '' });
    expect(host.sh(`${routes} ip route del local 240.240.0.0/16`)).to.equal('');
  });

  for (const backend of ['nftables', 'iptables'] as const) {
    it(`knows the agent by its cgroup, by ${backend}`, async function () {
      const cgroup = `sluice-test-${process.pid}/agent`;
      const folder = `/sys/fs/cgroup/${cgroup}`;
      const run = host.runWithCgroups;
      const made = await run(['mkdir', '-p', folder]);
      if (made?.code !== 0) {
        console.log(`      skipped: no cgroup v2 can be made here: ${made?.stderr}`);
        return this.skip();
      }
      const agent = await host.serve('host', onLoopback('tcp/15001'));
      try {
        const described = interceptionSchema.parse({ agent: { cgroup }, families: ['ipv4'] });
        await installRules(described, { backend, run });
        expect(await checkRules(described, { backend, run })).to.deep.equal([]);
        expect(await dialled()).to.equal('host:15001 for 10.77.0.2:80');
        expect(await host.dial({ to: '10.77.0.2', port: 80, cgroup })).to.equal('peer:80');
      } finally {
        await agent.kill();
        await removeRules({ backends: [backend], run });
        await run(['rmdir', folder, `${folder}/..`]);
      }
    });
  }
});
