import { expect } from 'chai';
import fc from 'fast-check';
import { formatCidr } from '../../../../agent/interception/rules/cidr.ts';
import { type InterceptionInput, interceptionSchema } from '../../../../agent/interception/rules/description.ts';
import {
  type ChainName,
  createReleasedRuleSet,
  createRuleSet,
  type Rule,
  type RuleSet,
  withoutCallers,
} from '../../../../agent/interception/rules/rule-set.ts';
import { parseValue } from '../../../../model/parse.ts';

const agent = { uid: 1337 };

function rulesOf(input: InterceptionInput, name: ChainName): readonly Rule[] {
  return chainOf(createRuleSet(interceptionSchema.parse(input)), name);
}

function chainOf({ chains }: RuleSet, name: ChainName): readonly Rule[] {
  return chains.find((chain) => chain.name === name)?.rules ?? [];
}

/** One rule in a line: what it is about, and its verdict. */
function inWords({ match, verdict }: Rule): string {
  const { source, destination, ...rest } = match;
  const ranges = [source && `from ${formatCidr(source)}`, destination && `to ${formatCidr(destination)}`];
  const others = Object.entries(rest).map(([key, value]) => `${key} ${value}`);
  const what = [...ranges.filter((range) => range !== undefined), ...others].join(', ');
  return `${what} -> ${verdict.is}${'port' in verdict ? ` ${verdict.port}` : ''}`;
}

describe('the rules of a description', () => {
  it('are these by default', () => {
    const ruleSet = createRuleSet(interceptionSchema.parse({ agent }));
    const words = Object.fromEntries(ruleSet.chains.map(({ name, rules }) => [name, rules.map(inWords)]));
    expect(words).to.deep.equal({
      'track-output': [
        'protocol udp, sourcePort 15053 -> zone',
        'uid 1337 -> leave',
        'to fe80::/10 -> leave',
        'protocol udp, destinationPort 53 -> zone',
      ],
      output: [
        'protocol tcp, isLater true -> leave',
        'uid 1337 -> leave',
        'to 240.240.0.0/16, protocol tcp -> redirect 15001',
        'to fe80::/10 -> leave',
        'protocol udp, destinationPort 53 -> redirect 15053',
        'protocol tcp, destinationPort 53 -> redirect 15053',
        'to 127.0.0.0/8 -> leave',
        'to ::1 -> leave',
        'protocol tcp, isForThisHost true, destinationPort 15001 -> leave',
        'protocol tcp, isForThisHost true, destinationPort 15006 -> leave',
        'protocol tcp, isForThisHost true, destinationPort 15053 -> leave',
        'protocol tcp, isForThisHost true, destinationPort 15000 -> leave',
        'protocol tcp -> redirect 15001',
      ],
      prerouting: [
        'protocol tcp, isLater true -> leave',
        'inInterface lo -> leave',
        'protocol tcp, destinationPort 15001 -> leave',
        'protocol tcp, destinationPort 15006 -> leave',
        'protocol tcp, destinationPort 15053 -> leave',
        'protocol tcp, destinationPort 15000 -> leave',
        'protocol tcp, destinationPort 22 -> leave',
        'protocol tcp, isForThisHost true -> redirect 15006',
      ],
    });
    expect(ruleSet.routes.map(formatCidr)).to.deep.equal(['240.240.0.0/16']);
  });

  for (const { name, input, chain, want } of [
    {
      name: 'leave the agent alone by user, group and cgroup, before anything that begins',
      input: { agent: { uid: 1, gid: 2, cgroup: 'a/b' } },
      chain: 'output',
      want: ['protocol tcp, isLater true -> leave', 'uid 1 -> leave', 'gid 2 -> leave', 'cgroup a/b -> leave'],
    },
    {
      name: 'take virtual IPs before what is excluded, and after the agent and the control plane',
      input: {
        agent,
        controlPlane: [{ address: '10.0.0.5', port: 15010 }],
        outbound: { excludeUids: [5, 5], excludeCidrs: ['0.0.0.0/0'] },
        vipRanges: ['240.1.0.0/16', 'fd99::/64'],
      },
      chain: 'output',
      want: [
        'protocol tcp, isLater true -> leave',
        'uid 1337 -> leave',
        'to 10.0.0.5, protocol tcp, destinationPort 15010 -> leave',
        'to 240.1.0.0/16, protocol tcp -> redirect 15001',
        'to fd99::/64, protocol tcp -> redirect 15001',
        'uid 5 -> leave',
      ],
    },
    {
      name: 'keep questions of excluded users, and of the agent, out of the zone',
      input: { agent, outbound: { excludeUids: [5], uids: [7, 8] }, dnsServers: ['127.0.0.53'] },
      chain: 'track-output',
      want: [
        'protocol udp, sourcePort 15053 -> zone',
        'uid 1337 -> leave',
        'uid 5 -> leave',
        'to fe80::/10 -> leave',
        'to 127.0.0.53, uid 7, protocol udp, destinationPort 53 -> zone',
        'to 127.0.0.53, uid 8, protocol udp, destinationPort 53 -> zone',
      ],
    },
    {
      name: 'leave excluded callers before they take ports',
      input: {
        agent,
        ownPorts: [],
        inbound: { ports: [80, 22, 80], excludePorts: [81], excludeCidrs: ['10.0.0.0/8'] },
      },
      chain: 'prerouting',
      want: [
        'protocol tcp, isLater true -> leave',
        'inInterface lo -> leave',
        'protocol tcp, destinationPort 15001 -> leave',
        'protocol tcp, destinationPort 15006 -> leave',
        'protocol tcp, destinationPort 15053 -> leave',
        'from 10.0.0.0/8 -> leave',
        'protocol tcp, destinationPort 81 -> leave',
        'protocol tcp, isForThisHost true, destinationPort 80 -> redirect 15006',
        'protocol tcp, isForThisHost true, destinationPort 22 -> redirect 15006',
      ],
    },
    { name: 'need no chain for callers', input: { agent, inbound: { ports: [] } }, chain: 'prerouting', want: [] },
    { name: 'need no zone without names', input: { agent, dnsServers: [] }, chain: 'track-output', want: [] },
  ] as const satisfies readonly {
    name: string;
    input: InterceptionInput;
    chain: ChainName;
    want: readonly string[];
  }[]) {
    it(name, () => {
      const found = rulesOf(input, chain).map(inWords);
      expect(found.slice(0, want.length || undefined)).to.deep.equal(want);
    });
  }

  it('of several applications are, one after the other, for each its users, groups and ports', () => {
    const applications = [
      { uids: [1, 1, 2], gids: [7], outboundPort: 101, dnsPort: 103 },
      { ports: [80, 81], loopbackPorts: [80], outboundPort: 201, inboundPort: 202 },
      { uids: [3], outboundPort: 301, ports: [82], inboundPort: 302, loopbackPorts: [82] },
    ];
    const ruleSet = createRuleSet(interceptionSchema.parse({ agent, applications }));
    const words = Object.fromEntries(ruleSet.chains.map(({ name, rules }) => [name, rules.map(inWords)]));
    const own = [101, 103, 201, 202, 301, 302, 15000];
    expect(words).to.deep.equal({
      'track-output': [
        'protocol udp, sourcePort 103 -> zone',
        'uid 1337 -> leave',
        'to fe80::/10 -> leave',
        'uid 1, protocol udp, destinationPort 53 -> zone',
        'uid 2, protocol udp, destinationPort 53 -> zone',
        'gid 7, protocol udp, destinationPort 53 -> zone',
      ],
      output: [
        'protocol tcp, isLater true -> leave',
        'to 127.0.0.0/8, uid 1337 -> leave',
        'to ::1, uid 1337 -> leave',
        'uid 1337, protocol tcp, isForThisHost true, destinationPort 80 -> redirect 202',
        'uid 1337, protocol tcp, isForThisHost true, destinationPort 82 -> redirect 302',
        'uid 1337 -> leave',
        'to 240.240.0.0/16, uid 1, protocol tcp -> redirect 101',
        'to 240.240.0.0/16, uid 2, protocol tcp -> redirect 101',
        'to 240.240.0.0/16, gid 7, protocol tcp -> redirect 101',
        'to 240.240.0.0/16, uid 3, protocol tcp -> redirect 301',
        'to fe80::/10 -> leave',
        ...['udp', 'tcp'].flatMap((protocol) =>
          ['uid 1', 'uid 2', 'gid 7'].map((who) => `${who}, protocol ${protocol}, destinationPort 53 -> redirect 103`),
        ),
        'to 127.0.0.0/8 -> leave',
        'to ::1 -> leave',
        ...own.map((port) => `protocol tcp, isForThisHost true, destinationPort ${port} -> leave`),
        'uid 1, protocol tcp -> redirect 101',
        'uid 2, protocol tcp -> redirect 101',
        'gid 7, protocol tcp -> redirect 101',
        'uid 3, protocol tcp -> redirect 301',
      ],
      prerouting: [
        'protocol tcp, isLater true -> leave',
        'inInterface lo -> leave',
        ...own.map((port) => `protocol tcp, destinationPort ${port} -> leave`),
        'protocol tcp, isForThisHost true, destinationPort 80 -> redirect 202',
        'protocol tcp, isForThisHost true, destinationPort 81 -> redirect 202',
        'protocol tcp, isForThisHost true, destinationPort 82 -> redirect 302',
      ],
    });
  });

  it('lead nowhere any more when they are released, and keep what open connections and answers need', () => {
    const { chains, routes } = createReleasedRuleSet(interceptionSchema.parse({ agent }));
    expect(chains.map(({ name, rules }) => [name, rules.map(inWords)])).to.deep.equal([
      ['track-output', ['protocol udp, sourcePort 15053 -> zone']],
      ['output', ['isEstablished true -> leave']],
    ]);
    expect(routes.map(formatCidr)).to.deep.equal(['240.240.0.0/16']);
  });

  it('take no callers, and all that is sent as before, without those of callers', () => {
    for (const input of [
      { agent },
      { agent, applications: [{ uids: [1], ports: [80], loopbackPorts: [80], outboundPort: 201, inboundPort: 202 }] },
    ]) {
      const all = createRuleSet(interceptionSchema.parse(input));
      const found = createRuleSet(withoutCallers(interceptionSchema.parse(input)));
      const isForCallers = ({ why }: Rule) => why === 'inbound';
      const sent = (ruleSet: RuleSet) => chainOf(ruleSet, 'output').filter(({ match }) => match.uid !== agent.uid);
      expect(sent(found)).to.deep.equal(sent(all));
      expect(found.chains.flatMap(({ rules }) => rules.filter(isForCallers))).to.deep.equal([]);
    }
  });

  it('are of the families that are wanted alone', () => {
    const ruleSet = createRuleSet(
      interceptionSchema.parse({ agent, families: ['ipv4'], vipRanges: ['240.1.0.0/16', 'fd99::/64'] }),
    );
    const ranges = ruleSet.chains.flatMap(({ rules }) => rules.flatMap(({ match }) => match.destination ?? []));
    expect([...new Set(ranges.map(({ family }) => family))]).to.deep.equal(['ipv4']);
    expect(ruleSet.routes.map(formatCidr)).to.deep.equal(['240.1.0.0/16']);
  });

  for (const { sentence, input, path } of [
    { sentence: 'nothing that tells the agent', input: { agent: {} }, path: ['agent'] },
    { sentence: 'a cgroup that could end a word', input: { agent: { cgroup: 'a" b' } }, path: ['agent', 'cgroup'] },
    {
      sentence: 'a cgroup by its full path',
      input: { agent: { cgroup: '/sys/fs/cgroup/a' } },
      path: ['agent', 'cgroup'],
    },
    { sentence: 'port 0', input: { agent, outboundPort: 0 }, path: ['outboundPort'] },
    { sentence: 'the user that is none', input: { agent: { uid: 4_294_967_295 } }, path: ['agent', 'uid'] },
    {
      sentence: 'a range where one address is meant',
      input: { agent, dnsServers: ['10.0.0.0/8'] },
      path: ['dnsServers', 0],
    },
    { sentence: 'all addresses as virtual IPs', input: { agent, vipRanges: ['0.0.0.0/0'] }, path: ['vipRanges'] },
    { sentence: 'a field that there is not', input: { agent, outbond: {} }, path: ['outbond'] },
  ]) {
    it(`are refused for ${sentence}`, () => {
      const parsed = parseValue(interceptionSchema, input);
      const [first] = parsed.ok ? [] : parsed.faults;
      expect(first?.path.slice(0, path.length)).to.deep.equal(path);
    });
  }
});

describe('the rules of any description', () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const uid = fc.integer({ min: 0, max: 70_000 });
  const range = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`);
  const few = <Item>(item: fc.Arbitrary<Item>) => fc.array(item, { maxLength: 4 });
  const descriptions = fc.record({
    agent: fc.record({ uid }),
    outboundPort: port,
    dnsPort: port,
    outbound: fc.record({ excludeUids: few(uid), excludePorts: few(port), excludeCidrs: few(range) }),
    inbound: fc.record({ ports: fc.oneof(fc.constant('all' as const), few(port)), excludePorts: few(port) }),
    dnsServers: fc.oneof(fc.constant('all' as const), few(fc.ipV4())),
  });

  it('begin with the agent wherever something is redirected that a process sends, and end with a verdict for the rest (property)', () => {
    fc.assert(
      fc.property(descriptions, (input) => {
        const rules = rulesOf(input, 'output');
        expect(rules.slice(0, 2).map(inWords)).to.deep.equal([
          'protocol tcp, isLater true -> leave',
          `uid ${input.agent.uid} -> leave`,
        ]);
        expect(inWords(rules.at(-1) ?? expect.fail())).to.equal(`protocol tcp -> redirect ${input.outboundPort}`);
        const firstExclusion = rules.findIndex(({ why }) => why.startsWith('excluded'));
        const lastVip = rules.findLastIndex(({ why }) => why === 'virtual IPs');
        expect(firstExclusion === -1 || lastVip < firstExclusion).to.equal(true);
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 200) },
    );
  });

  /** An application with ports by its place. */
  const application = (uids: number[], gids: number[], ports: number[], at: number) => ({
    uids,
    gids,
    ports,
    outboundPort: 20_000 + 3 * at,
    inboundPort: 20_001 + 3 * at,
    dnsPort: 20_002 + 3 * at,
  });
  const small = fc.integer({ min: 1, max: 12 });
  const several = fc
    .array(fc.tuple(few(small), few(small), few(fc.integer({ min: 100, max: 110 }))), { minLength: 1, maxLength: 5 })
    .map((all) => all.map(([uids, gids, ports], at) => application(uids, gids, ports, at)));

  it('bring what a process sends to the first application that has its user or its group, and else to none (property)', () => {
    fc.assert(
      fc.property(several, small, small, (applications, uid, gid) => {
        const verdicts = rulesOf({ agent, applications }, 'output').filter(
          ({ match, why }) =>
            why === 'outbound' &&
            (match.uid === undefined || match.uid === uid) &&
            (match.gid === undefined || match.gid === gid),
        );
        const [first] = applications.filter(({ uids, gids }) => uids.includes(uid) || gids.includes(gid));
        const want = first === undefined ? undefined : { is: 'redirect', port: first.outboundPort };
        expect(verdicts[0]?.verdict).to.deep.equal(want);
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 200) },
    );
  });

  it('bring what arrives to the first application that has its port, and let all else pass (property)', () => {
    fc.assert(
      fc.property(several, fc.integer({ min: 100, max: 110 }), (applications, port) => {
        const [taken] = rulesOf({ agent, applications }, 'prerouting').filter(
          ({ match }) => match.destinationPort === port,
        );
        const first = applications.find(({ ports }) => ports.includes(port));
        const want = first === undefined ? undefined : { is: 'redirect', port: first.inboundPort };
        expect(taken?.verdict).to.deep.equal(want);
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 200) },
    );
  });
});
