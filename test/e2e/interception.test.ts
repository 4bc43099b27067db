/** Packet rules on real packets: two hosts, of which one is intercepted, and programs that know nothing of it. */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  type Backend,
  checkRules,
  type Interceptor,
  installRules,
  releaseRules,
  removeRules,
} from '../../agent/interception/interception.ts';
import { type InterceptionInput, interceptionSchema } from '../../agent/interception/rules/description.ts';
import type { RunProgram } from '../../process/run-program.ts';
import {
  type Dialled,
  type NetworkNamespace,
  NetworkNamespaces,
  onLoopback,
  skipUnlessNamespaces,
} from '../support/network-namespaces.ts';
import { Processes } from '../support/processes.ts';

interface Tool {
  readonly name: string;
  readonly backend: Backend;
  readonly needs: string;
  /** The programs that the backend calls, under the names that they have here. */
  readonly renamed: Readonly<Record<string, string>>;
}

const legacy = ['iptables', 'ip6tables'].flatMap((name) =>
  ['save', 'restore'].map((deed) => [`${name}-${deed}`, `${name}-legacy-${deed}`] as const),
);
const tools: readonly Tool[] = [
  { name: 'nftables', backend: 'nftables', needs: 'nft', renamed: {} },
  { name: 'iptables', backend: 'iptables', needs: 'iptables-restore', renamed: {} },
  {
    name: 'iptables as it was before nftables',
    backend: 'iptables',
    needs: 'iptables-legacy-restore',
    renamed: Object.fromEntries(legacy),
  },
];

const agentUid = 1337;
const exempt = 1500;
/** Everything that can be excluded, once. */
const described: InterceptionInput = {
  agent: { uid: agentUid, gid: 1338 },
  vipRanges: ['240.240.0.0/16', 'fd99::/64'],
  controlPlane: [{ address: '10.77.0.9', port: 15010 }],
  outbound: {
    excludeUids: [exempt],
    excludePorts: [5432],
    // The address of a virtual IP, too: it is taken all the same.
    excludeCidrs: ['10.77.0.3', 'fd77::3', '240.240.7.0/24'],
  },
  inbound: { excludePorts: [9100], excludeCidrs: ['10.77.0.4', 'fd77::4'] },
};

interface Case extends Dialled {
  readonly what: string;
  readonly want: string;
}

type AnswersByCase = ReadonlyMap<Case, string | undefined>;

/** By one process: starting one takes many times as long as dialling. */
async function dialCases(from: NetworkNamespace, cases: readonly Case[]): Promise<AnswersByCase> {
  const answers = await from.dialAll(cases);
  return new Map(cases.map((each, place) => [each, answers[place]]));
}

/** Where an answer comes from: of the intercepted host (`host`, whose 15001, 15006 and 15053 stand for the agent), or `peer`. */
const outboundCases: readonly Case[] = [
  { what: 'a connection to another host', to: '10.77.0.2', port: 80, want: 'host:15001 for 10.77.0.2:80' },
  { what: 'one over IPv6', to: 'fd77::2', port: 80, want: 'host:15001 for [fd77::2]:80' },
  { what: 'one to an own address', to: '10.77.0.1', port: 8080, want: 'host:15001 for 10.77.0.1:8080' },
  { what: 'one to an own IPv6 address', to: 'fd77::1', port: 8080, want: 'host:15001 for [fd77::1]:8080' },
  { what: 'one to port 22 of another host', to: '10.77.0.2', port: 22, want: 'host:15001 for 10.77.0.2:22' },
  { what: 'a virtual IP, without a route to it', to: '240.240.0.1', port: 80, want: 'host:15001 for 240.240.0.1:80' },
  { what: 'a virtual IPv6', to: 'fd99::1', port: 80, want: 'host:15001 for [fd99::1]:80' },
  { what: 'a virtual IP that is excluded', to: '240.240.7.1', port: 1, want: 'host:15001 for 240.240.7.1:1' },
  { what: 'a virtual IP on an excluded port', to: '240.240.0.1', port: 5432, want: 'host:15001 for 240.240.0.1:5432' },
  {
    what: 'a virtual IP of an excluded user',
    uid: exempt,
    to: '240.240.0.1',
    port: 80,
    want: 'host:15001 for 240.240.0.1:80',
  },
  { what: "root's", uid: 0, gid: 0, to: '10.77.0.2', port: 80, want: 'host:15001 for 10.77.0.2:80' },
  { what: "a port of another host's agent", to: '10.77.0.2', port: 15006, want: 'host:15001 for 10.77.0.2:15006' },
  { what: 'another port of the control plane', to: '10.77.0.9', port: 80, want: 'host:15001 for 10.77.0.9:80' },
  { what: 'a question of a name', protocol: 'udp', to: '10.77.0.2', port: 53, want: 'host:15053' },
  { what: 'one over IPv6', protocol: 'udp', to: 'fd77::2', port: 53, want: 'host:15053' },
  { what: 'one over TCP', to: '10.77.0.2', port: 53, want: 'host:15053 for 10.77.0.2:53' },
  { what: 'one over TCP and IPv6', to: 'fd77::2', port: 53, want: 'host:15053 for [fd77::2]:53' },
  { what: 'one to a resolver on loopback', protocol: 'udp', to: '127.0.0.53', port: 53, want: 'host:15053' },
  { what: 'one to an excluded address', protocol: 'udp', to: '10.77.0.3', port: 53, want: 'host:15053' },
];

const leftCases: readonly Case[] = [
  { what: "the agent's connections", uid: agentUid, to: '10.77.0.2', port: 80, want: 'peer:80' },
  { what: "the agent's IPv6 connections", uid: agentUid, to: 'fd77::2', port: 80, want: 'peer:80' },
  { what: "those of the agent's group", gid: 1338, to: '10.77.0.2', port: 80, want: 'peer:80' },
  { what: "the agent's to its own host", uid: agentUid, to: '10.77.0.1', port: 8080, want: 'host:8080' },
  { what: "the agent's questions", uid: agentUid, protocol: 'udp', to: '10.77.0.2', port: 53, want: 'peer:53' },
  { what: "the agent's questions over TCP", uid: agentUid, to: 'fd77::2', port: 53, want: 'peer:53' },
  { what: 'connections of an excluded user', uid: exempt, to: '10.77.0.2', port: 80, want: 'peer:80' },
  { what: 'questions of an excluded user', uid: exempt, protocol: 'udp', to: '10.77.0.2', port: 53, want: 'peer:53' },
  { what: 'an excluded port', to: '10.77.0.2', port: 5432, want: 'peer:5432' },
  { what: 'an excluded port over IPv6', to: 'fd77::2', port: 5432, want: 'peer:5432' },
  { what: 'an excluded address', to: '10.77.0.3', port: 80, want: 'peer:80' },
  { what: 'an excluded IPv6 address', to: 'fd77::3', port: 80, want: 'peer:80' },
  { what: 'loopback', to: '127.0.0.1', port: 8080, want: 'host:8080' },
  { what: 'loopback over IPv6', to: '::1', port: 8080, want: 'host:8080' },
  { what: 'the control plane', to: '10.77.0.9', port: 15010, want: 'peer:15010' },
  { what: "the agent's own ports", to: '10.77.0.1', port: 15006, want: 'host:15006' },
  { what: "the agent's own ports over IPv6", to: 'fd77::1', port: 15000, want: 'host:15000' },
  { what: 'link-local IPv6', to: 'fe80::77%eth0', port: 80, want: 'peer:80' },
  { what: 'questions to link-local IPv6', to: 'fe80::77%eth0', port: 53, want: 'peer:53' },
  { what: 'other datagrams', protocol: 'udp', to: '10.77.0.2', port: 123, want: 'peer:123' },
];

const inboundCases: readonly Case[] = [
  { what: 'brings a caller to the agent', to: '10.77.0.1', port: 8080, want: 'host:15006 for 10.77.0.1:8080' },
  { what: 'brings one over IPv6', source: 'fd77::2', to: 'fd77::1', port: 8080, want: 'host:15006 for [fd77::1]:8080' },
  { what: 'brings one to a port where nobody listens', to: '10.77.0.1', port: 7, want: 'host:15006 for 10.77.0.1:7' },
  { what: 'leaves an excluded port', to: '10.77.0.1', port: 9100, want: 'host:9100' },
  { what: 'leaves it over IPv6', to: 'fd77::1', port: 9100, want: 'host:9100' },
  { what: 'leaves ssh', to: '10.77.0.1', port: 22, want: 'host:22' },
  { what: "leaves the agent's own ports", to: '10.77.0.1', port: 15000, want: 'host:15000' },
  { what: 'opens none of them that is on loopback', to: '10.77.0.1', port: 15001, want: 'ECONNREFUSED' },
  { what: 'leaves questions of names to this host', protocol: 'udp', to: '10.77.0.1', port: 53, want: 'host:53' },
  { what: 'leaves an excluded caller', source: '10.77.0.4', to: '10.77.0.1', port: 8080, want: 'host:8080' },
  { what: 'leaves one over IPv6', source: 'fd77::4', to: 'fd77::1', port: 8080, want: 'host:8080' },
];

const foreign = `
  nft add table inet firewall
  nft add chain inet firewall input '{ type filter hook input priority 0; }'
  nft add rule inet firewall input tcp dport 12345 drop comment '"sluice is not meant"'
  nft add table ip docker
  nft add chain ip docker out '{ type nat hook output priority -100; }'
  nft add rule ip docker out ip daddr 127.0.0.11 udp dport 53 redirect to :41000
`;
const foreignIptables = ['iptables', 'ip6tables', 'iptables-legacy', 'ip6tables-legacy']
  .flatMap((name) => [
    `${name} -t nat -N DOCKER`,
    `${name} -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER`,
    `${name} -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER`,
    `${name} -t raw -A OUTPUT -p tcp --dport 12345 -j DROP`,
    `${name} -A INPUT -p tcp --dport 12345 -j DROP`,
  ])
  .join('\n');
const foreignRoutes = `
  ip route add local 198.18.0.0/24 dev lo
  ip -6 route add local fd98::/64 dev lo proto 4
`;

const port = fc.integer({ min: 1, max: 65_535 });
const user = fc.oneof(fc.constantFrom(0, 4_294_967_294), fc.nat(70_000));
const range = fc.oneof(
  fc.constantFrom('0.0.0.0/0', '::/0', '::ffff:10.0.0.1', '::', '::0.1.0.0', '255.255.255.255'),
  fc.tuple(fc.ipV4(), fc.nat(32)).map(([address, bits]) => `${address}/${bits}`),
  fc.tuple(fc.ipV6(), fc.nat(128)).map(([address, bits]) => `${address}/${bits}`),
);
const few = <Item>(item: fc.Arbitrary<Item>) => fc.array(item, { maxLength: 3 });
const anyDescription: fc.Arbitrary<InterceptionInput> = fc.record({
  agent: fc.record({ uid: user, gid: fc.option(user, { nil: undefined }) }),
  families: fc.constantFrom<('ipv4' | 'ipv6')[]>(['ipv4'], ['ipv6'], ['ipv4', 'ipv6']),
  outboundPort: port,
  dnsPort: port,
  controlPlane: few(fc.record({ address: fc.oneof(fc.ipV4(), fc.ipV6()), port })),
  outbound: fc.record({ excludeUids: few(user), excludePorts: few(port), excludeCidrs: few(range) }),
  inbound: fc.record({
    ports: fc.oneof(fc.constant<'all'>('all'), few(port)),
    excludePorts: few(port),
    excludeCidrs: few(range),
  }),
  dnsServers: fc.oneof(fc.constant<'all'>('all'), few(fc.oneof(fc.ipV4(), fc.ipV6()))),
});

/** As Docker translates questions to the name server that it has in each container, by the tool that a test is about. */
const embeddedResolver: Readonly<Record<string, string>> = {
  nft: `
    nft add table ip docker
    nft add chain ip docker out '{ type nat hook output priority -100; }'
    nft add rule ip docker out ip daddr 127.0.0.11 udp dport 53 redirect to :41000
  `,
  ...Object.fromEntries(
    ['iptables', 'iptables-legacy'].map((program) => [
      `${program}-restore`,
      `${program} -t nat -A OUTPUT -d 127.0.0.11 -p udp --dport 53 -j REDIRECT --to-ports 41000`,
    ]),
  ),
};

for (const { name, backend, needs, renamed } of tools) {
  describe(`interception by ${name}`, function () {
    this.timeout(60_000);
    const processes = new Processes();
    const network = new NetworkNamespaces(processes);
    let host: NetworkNamespace;
    let peer: NetworkNamespace;

    const interceptorOf = ({ run }: NetworkNamespace): Interceptor => {
      const inside: RunProgram = ([program = '', ...args], input) => run([renamed[program] ?? program, ...args], input);
      return { backend, run: inside };
    };
    const install = (input: InterceptionInput = described, of = host) =>
      installRules(interceptionSchema.parse(input), interceptorOf(of));
    const check = (input: InterceptionInput = described, of = host) =>
      checkRules(interceptionSchema.parse(input), interceptorOf(of));
    const remove = (of = host) => removeRules({ backends: [backend], run: interceptorOf(of).run });

    before(async function () {
      skipUnlessNamespaces(this, 'nft', needs);
      [host, peer] = [network.add('host'), network.add('peer')];
      network.connect(
        { of: host, addresses: ['10.77.0.1/24', 'fd77::1/64'] },
        {
          of: peer,
          addresses: [
            '10.77.0.2/24',
            'fd77::2/64',
            '10.77.0.3/24',
            'fd77::3/64',
            '10.77.0.4/24',
            'fd77::4/64',
            '10.77.0.9/24',
          ],
        },
      );
      peer.sh('ip address add fe80::77/64 dev eth1 nodad');
      const agent = [...['tcp/15000', 'tcp/15006'], ...onLoopback('tcp/15001', 'tcp/15053', 'udp/15053')];
      await host.serve('host', [...agent, 'tcp/8080', 'tcp/9100', 'tcp/22', 'udp/53@127.0.0.53', 'udp/53@10.77.0.1']);
      const others = ['tcp/22', 'tcp/15006', 'tcp/53', 'udp/53', 'udp/123'];
      await peer.serve('peer', ['tcp/80', 'tcp/5432', 'tcp/15010', ...others]);
    });
    after(async () => {
      await processes.close();
      network.close();
    });

    it('is nothing to begin with', async () => {
      expect(await host.dial({ to: '10.77.0.2', port: 80 })).to.equal('peer:80');
      expect(await host.dial({ to: '240.240.0.1', port: 80 })).to.equal('ENETUNREACH');
    });

    describe('outbound', () => {
      let answers: AnswersByCase;
      before(async () => {
        await install();
        answers = await dialCases(host, [...outboundCases, ...leftCases]);
      });

      for (const each of outboundCases) {
        it(`takes ${each.what}`, () => expect(answers.get(each)).to.equal(each.want));
      }

      for (const each of leftCases) {
        it(`leaves ${each.what}`, () => expect(answers.get(each)).to.equal(each.want));
      }

      it('keeps a question that is taken apart from one that the agent asks from the same port', async () => {
        const question = { protocol: 'udp', to: '10.77.0.2', port: 53, from: 40_053 } as const;
        expect(await host.dial(question)).to.equal('host:15053');
        expect(await host.dial({ ...question, uid: agentUid })).to.equal('peer:53');
        expect(await host.dial(question)).to.equal('host:15053');
      });
    });

    describe('inbound', () => {
      let answers: AnswersByCase;
      before(async () => {
        await install();
        answers = await dialCases(peer, inboundCases);
      });

      for (const each of inboundCases) it(each.what, () => expect(answers.get(each)).to.equal(each.want));
    });

    describe('by other descriptions', () => {
      it('takes some ports of the host alone', async () => {
        await install({ ...described, inbound: { ports: [8080, 22] } });
        const answers = await Promise.all([8080, 22, 9100].map((port) => peer.dial({ to: '10.77.0.1', port })));
        expect(answers).to.deep.equal(['host:15006 for 10.77.0.1:8080', 'host:15006 for 10.77.0.1:22', 'host:9100']);
      });

      it('takes no callers', async () => {
        await install({ ...described, inbound: { ports: [] } });
        expect(await peer.dial({ to: '10.77.0.1', port: 8080 })).to.equal('host:8080');
        expect(await check({ ...described, inbound: { ports: [] } })).to.deep.equal([]);
      });

      it('takes some users alone', async () => {
        await install({ ...described, outbound: { uids: [2000, 2001] } });
        const [to, port] = ['10.77.0.2', 80];
        expect(await host.dial({ to, port, uid: 2001 })).to.equal('host:15001 for 10.77.0.2:80');
        expect(await host.dial({ to, port, uid: 2002 })).to.equal('peer:80');
        expect(await host.dial({ to, port: 53, protocol: 'udp', uid: 2000 })).to.equal('host:15053');
        expect(await host.dial({ to, port: 53, protocol: 'udp', uid: 2002 })).to.equal('peer:53');
      });

      it('takes questions to some name servers alone, or none', async () => {
        await install({ ...described, dnsServers: ['127.0.0.53'] });
        expect(await host.dial({ protocol: 'udp', to: '127.0.0.53', port: 53 })).to.equal('host:15053');
        expect(await host.dial({ protocol: 'udp', to: '10.77.0.2', port: 53 })).to.equal('peer:53');
        await install({ ...described, dnsServers: [] });
        expect(await host.dial({ protocol: 'udp', to: '127.0.0.53', port: 53 })).to.equal('host:53');
      });

      it('leaves IPv6 alone', async () => {
        const ipv4: InterceptionInput = { ...described, families: ['ipv4'] };
        await install(ipv4);
        expect(await host.dial({ to: 'fd77::2', port: 80 })).to.equal('peer:80');
        expect(await host.dial({ to: '10.77.0.2', port: 80 })).to.equal('host:15001 for 10.77.0.2:80');
        expect(await peer.dial({ to: 'fd77::1', port: 8080 })).to.equal('host:8080');
        expect(await check(ipv4)).to.deep.equal([]);
      });

      it('takes other ranges of virtual IPs, and lets go of those of before', async () => {
        await install({ ...described, vipRanges: ['241.1.0.0/16'] });
        expect(await host.dial({ to: '241.1.2.3', port: 80 })).to.equal('host:15001 for 241.1.2.3:80');
        expect(await host.dial({ to: '240.240.0.1', port: 80 })).to.equal('ENETUNREACH');
      });
    });

    describe('checked', () => {
      it('finds nothing to say of what has just been installed', async () => {
        await install();
        expect(await check()).to.deep.equal([]);
      });

      it('names rules of another description', async () => {
        await install({ ...described, outboundPort: 15_101, vipRanges: ['241.1.0.0/16'] });
        const differences = await check();
        expect(differences.join('\n')).to.match(/missing: .*15001.*\n.*unexpected: .*15101/s);
        expect(differences).to.include('routes: missing: local 240.240.0.0/16');
        expect(differences).to.include('routes: unexpected: local 241.1.0.0/16');
      });

      it('names everything when nothing is there', async () => {
        await remove();
        const differences = await check();
        expect(differences.join('\n')).to.match(/there is no table inet sluice|nat SLUICE_OUTPUT: is missing/);
      });
    });

    describe('installed twice', () => {
      it('is there once', async () => {
        await install();
        const once = host.dump();
        await install();
        expect(host.dump()).to.equal(once);
      });
    });

    it('comes before what others translate, and leaves that to them for what the agent sends', async () => {
      const docker = network.add('docker');
      await docker.serve('docker', ['udp/41000@127.0.0.1']);
      await docker.serve('host', onLoopback('udp/15053'));
      docker.sh(embeddedResolver[needs] ?? '');
      await install(described, docker);
      const question = { protocol: 'udp', to: '127.0.0.11', port: 53 } as const;
      expect(await docker.dial(question)).to.equal('host:15053');
      expect(await docker.dial({ ...question, uid: agentUid })).to.equal('docker:41000');
    });

    it('lets no connection past while rules are replaced', async () => {
      await install();
      let isOver = false;
      const replacing = (async () => {
        for (let n = 0; n < 10; n++) await install({ ...described, ownPorts: [15_000, 20_000 + n] });
      })().finally(() => {
        isOver = true;
      });
      const answers = new Set<string>();
      while (!isOver) {
        const all = await host.dialAll(Array<Dialled>(200).fill({ to: '10.77.0.2', port: 80 }));
        for (const answer of all) answers.add(answer);
      }
      await replacing;
      expect(answers).to.deep.equal(new Set(['host:15001 for 10.77.0.2:80']));
    });

    describe('open connections of a host without any other rules', () => {
      const outward = [
        { to: '10.76.0.2', port: 80 },
        { to: 'fd76::2', port: 80 },
      ];
      const inward = [
        { to: '10.76.0.1', port: 8080 },
        { to: 'fd76::1', port: 8080 },
      ];
      const straight = ['far:80', 'far:80', 'bare:8080', 'bare:8080'];
      const brought = [
        'bare:15001 for 10.76.0.2:80',
        'bare:15001 for [fd76::2]:80',
        'bare:15006 for 10.76.0.1:8080',
        'bare:15006 for [fd76::1]:8080',
      ];
      let bare: NetworkNamespace;
      let far: NetworkNamespace;

      /** From here and to here; asked, they say who answers. */
      const holdAll = async () => {
        const [out, incoming] = await Promise.all([bare.hold(outward), far.hold(inward)]);
        return async () => (await Promise.all([out.ask(), incoming.ask()])).flat();
      };

      before(async () => {
        [bare, far] = [network.add('bare'), network.add('far')];
        network.connect(
          { of: bare, addresses: ['10.76.0.1/24', 'fd76::1/64'] },
          { of: far, addresses: ['10.76.0.2/24', 'fd76::2/64'] },
        );
        await bare.serve('bare', ['kept/8080', 'kept/15006', ...onLoopback('kept/15001')]);
        await far.serve('far', ['kept/80']);
      });

      it('go on when rules come, are replaced, are left and go', async () => {
        const older = await holdAll();
        expect(await older()).to.deep.equal(straight);
        await install(described, bare);
        expect(await older()).to.deep.equal(straight);
        const taken = await holdAll();
        expect(await taken()).to.deep.equal(brought);
        await install({ ...described, ownPorts: [15_000, 20_000] }, bare);
        expect(await older()).to.deep.equal(straight);
        expect(await taken()).to.deep.equal(brought);
        await releaseRules(interceptionSchema.parse(described), interceptorOf(bare));
        const newer = await holdAll();
        expect(await newer()).to.deep.equal(straight);
        expect(await older()).to.deep.equal(straight);
        expect(await taken()).to.deep.equal(brought);
        await remove(bare);
        expect(await newer()).to.deep.equal(straight);
        expect(await older()).to.deep.equal(straight);
        expect(bare.dump()).to.not.match(/sluice|redirect|established/i);
      });
    });

    it('is listed as it was installed, whatever the description (property)', async () => {
      const fresh = network.add('any');
      await fc.assert(
        fc.asyncProperty(anyDescription, async (input) => {
          await install(input, fresh);
          expect(await check(input, fresh)).to.deep.equal([]);
        }),
        { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 10) },
      );
    });

    describe('uninstalled', () => {
      it('leaves rules and routes of others exactly as they were', async () => {
        await remove();
        host.sh(foreign + foreignIptables + foreignRoutes);
        const before = host.dump();
        await install();
        expect(host.dump()).to.not.equal(before);
        await remove();
        expect(host.dump()).to.equal(before);
        await remove();
        expect(host.dump()).to.equal(before);
      });

      it('leaves a route that somebody else has for the range of virtual IPs', async () => {
        host.sh('ip route add local 240.240.0.0/16 dev lo proto static');
        const before = host.dump();
        await install();
        expect(await check()).to.deep.equal([]);
        await remove();
        expect(host.dump()).to.equal(before);
      });

      it('leaves a fresh host as it was, but for empty tables that iptables makes', async () => {
        const fresh = network.add('fresh');
        const before = fresh.dump();
        await install(described, fresh);
        await remove(fresh);
        const emptyTables =
          /^\*\w+\n(?::[A-Z]+ ACCEPT \n)+COMMIT\n|^table ip6? \w+ \{\n(?:\tchain [A-Z]+ \{\n.*\n\t\}\n\n?)+\}\n/gm;
        expect(fresh.dump().replace(emptyTables, '')).to.equal(before.replace(emptyTables, ''));
        if (backend === 'nftables') expect(fresh.dump()).to.equal(before);
      });
    });

    it('is refused beside the rules of the other backend', async function () {
      skipUnlessNamespaces(this, 'nft', 'iptables-restore');
      const other: Interceptor = {
        backend: backend === 'nftables' ? 'iptables' : 'nftables',
        run: interceptorOf(host).run,
      };
      await install();
      const refused = await installRules(interceptionSchema.parse(described), other).catch(String);
      expect(refused).to.include(`sluice intercept uninstall --backend ${backend}`);
      await remove();
    });

    it('changes nothing when the kernel refuses a part', async () => {
      await install();
      const before = host.dump();
      const refused = await install({
        ...described,
        agent: { cgroup: 'not/there' },
        vipRanges: ['241.1.0.0/16'],
      }).catch(String);
      expect(refused).to.match(/cgroup/);
      expect(host.dump()).to.equal(before);
      await remove();
    });
  });
}
