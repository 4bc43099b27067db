import { expect } from 'chai';
import fc from 'fast-check';
import { type InterceptionInput, interceptionSchema } from '../../../../agent/interception/rules/description.ts';
import { compareLines } from '../../../../agent/interception/rules/differences.ts';
import {
  iptablesLines,
  ownChains,
  printIptables,
  readOwnChains,
} from '../../../../agent/interception/rules/iptables-text.ts';
import { nftLines, printNftables, readNftLines } from '../../../../agent/interception/rules/nftables-text.ts';
import { createReleasedRuleSet, createRuleSet } from '../../../../agent/interception/rules/rule-set.ts';

const described: InterceptionInput = {
  agent: { uid: 1337, cgroup: 'system.slice/sluice.service' },
  dnsServers: [],
  ownPorts: [],
  inbound: { ports: [8080] },
  outbound: { excludeCidrs: ['10.0.0.0/8', 'fd00::/8'] },
};
const ruleSetOf = (input: InterceptionInput) => createRuleSet(interceptionSchema.parse(input));

describe('the rules for nft', () => {
  it('replace the table in one transaction', () => {
    expect(printNftables(ruleSetOf(described)).split('\n')).to.deep.equal([
      'table inet sluice {',
      '}',
      'delete table inet sluice',
      'table inet sluice {',
      '\tchain output {',
      '\t\ttype nat hook output priority -105; policy accept;',
      '\t\ttcp flags & (fin | syn | rst | ack) != syn return comment "open connections"',
      '\t\tmeta skuid 1337 return comment "the agent itself"',
      '\t\tsocket cgroupv2 level 2 "system.slice/sluice.service" return comment "the agent itself"',
      '\t\tip daddr 240.240.0.0/16 meta l4proto tcp redirect to :15001 comment "virtual IPs"',
      '\t\tip6 daddr fe80::/10 return comment "link-local"',
      '\t\tip daddr 127.0.0.0/8 return comment "loopback"',
      '\t\tip6 daddr ::1 return comment "loopback"',
      '\t\tfib daddr type local tcp dport 15001 return comment "ports of the agent"',
      '\t\tfib daddr type local tcp dport 15006 return comment "ports of the agent"',
      '\t\tfib daddr type local tcp dport 15053 return comment "ports of the agent"',
      '\t\tip daddr 10.0.0.0/8 return comment "excluded addresses"',
      '\t\tip6 daddr fd00::/8 return comment "excluded addresses"',
      '\t\tmeta l4proto tcp redirect to :15001 comment "outbound"',
      '\t}',
      '',
      '\tchain prerouting {',
      '\t\ttype nat hook prerouting priority -105; policy accept;',
      '\t\ttcp flags & (fin | syn | rst | ack) != syn return comment "open connections"',
      '\t\tiifname "lo" return comment "loopback"',
      '\t\ttcp dport 15001 return comment "ports of the agent"',
      '\t\ttcp dport 15006 return comment "ports of the agent"',
      '\t\ttcp dport 15053 return comment "ports of the agent"',
      '\t\tfib daddr type local tcp dport 8080 redirect to :15006 comment "inbound"',
      '\t}',
      '}',
      '',
    ]);
  });

  it('are the same whether nft lists names or numbers, and however it lists flags', () => {
    const flags = [
      '!= syn / fin,syn,rst,ack',
      '!= 0x2 / 0x1,0x2,0x4,0x10',
      '& (0x1 | 0x2 | 0x4 | 0x10) != 0x2',
      '& 0x17 != 0x02',
    ];
    for (const listed of flags) {
      const text = printNftables(ruleSetOf(described)).replaceAll('& (fin | syn | rst | ack) != syn', listed);
      expect(compareLines(nftLines(ruleSetOf(described)), readNftLines(text))).to.deep.equal([]);
    }
    const numbers = printNftables(ruleSetOf(described))
      .replaceAll('l4proto tcp', 'l4proto 6')
      .replaceAll('type local', 'type 2')
      .replaceAll('priority -105;', 'priority dstnat - 5;');
    expect(compareLines(nftLines(ruleSetOf(described)), readNftLines(numbers))).to.deep.equal([]);
  });
});

describe('rules that are released', () => {
  const released = createReleasedRuleSet(interceptionSchema.parse(described));

  it('ask for connections, in either tool', () => {
    expect(printNftables(released)).to.include('\t\tct state established return comment "open connections go on"\n');
    expect(printIptables(ownChains(released, 'ipv6'), [])).to.include(
      '-A SLUICE_OUTPUT -m conntrack --ctstate ESTABLISHED -m comment --comment "open connections go on" -j RETURN\n',
    );
  });
});

describe('the rules for iptables-restore', () => {
  const wanted = ownChains(ruleSetOf(described), 'ipv6');

  it('make chains of our own, and a jump to each', () => {
    expect(printIptables(wanted, []).split('\n')).to.deep.equal([
      '*nat',
      ':SLUICE_OUTPUT - [0:0]',
      ':SLUICE_PREROUTING - [0:0]',
      '-A SLUICE_OUTPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m comment --comment "open connections" -j RETURN',
      '-A SLUICE_OUTPUT -m owner --uid-owner 1337 -m comment --comment "the agent itself" -j RETURN',
      '-A SLUICE_OUTPUT -m cgroup --path system.slice/sluice.service -m comment --comment "the agent itself" -j RETURN',
      '-A SLUICE_OUTPUT -d fe80::/10 -m comment --comment "link-local" -j RETURN',
      '-A SLUICE_OUTPUT -d ::1/128 -m comment --comment "loopback" -j RETURN',
      ...[15001, 15006, 15053].map(
        (port) =>
          `-A SLUICE_OUTPUT -p tcp -m addrtype --dst-type LOCAL -m tcp --dport ${port} -m comment --comment "ports of the agent" -j RETURN`,
      ),
      '-A SLUICE_OUTPUT -d fd00::/8 -m comment --comment "excluded addresses" -j RETURN',
      '-A SLUICE_OUTPUT -p tcp -m comment --comment "outbound" -j REDIRECT --to-ports 15001',
      '-A SLUICE_PREROUTING -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m comment --comment "open connections" -j RETURN',
      '-A SLUICE_PREROUTING -i lo -m comment --comment "loopback" -j RETURN',
      ...[15001, 15006, 15053].map(
        (port) =>
          `-A SLUICE_PREROUTING -p tcp -m tcp --dport ${port} -m comment --comment "ports of the agent" -j RETURN`,
      ),
      '-A SLUICE_PREROUTING -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 8080 -m comment --comment "inbound" -j REDIRECT --to-ports 15006',
      '-I OUTPUT 1 -j SLUICE_OUTPUT',
      '-I PREROUTING 1 -j SLUICE_PREROUTING',
      'COMMIT',
      '',
    ]);
  });

  it('are the same however a C library writes an address', () => {
    const [one, other] = ['::0.1.0.0', '::1:0'].map((address) =>
      iptablesLines([
        { table: 'nat', builtIn: 'OUTPUT', chain: 'SLUICE_OUTPUT', rules: [`-d ${address}/128 -j RETURN`], jumps: 1 },
      ]),
    );
    expect(one).to.deep.equal(other);
  });

  const saved = [
    '# Generated by iptables-save',
    '*nat',
    ':OUTPUT ACCEPT [7:420]',
    ':DOCKER - [0:0]',
    ':SLUICE_OUTPUT - [0:0]',
    '-A OUTPUT -j SLUICE_OUTPUT',
    '-A OUTPUT -j SLUICE_OUTPUT',
    '-A OUTPUT -j DOCKER',
    '-A DOCKER -j RETURN',
    '[3:180] -A SLUICE_OUTPUT -m owner --uid-owner 1 -j RETURN',
    'COMMIT',
  ].join('\n');

  it('find what is ours among what others have', () => {
    expect(readOwnChains(saved)).to.deep.equal([
      {
        table: 'nat',
        builtIn: 'OUTPUT',
        chain: 'SLUICE_OUTPUT',
        rules: ['-m owner --uid-owner 1 -j RETURN'],
        jumps: 2,
      },
    ]);
  });

  it('take away each jump that is there, and the chain', () => {
    expect(printIptables([], readOwnChains(saved)).split('\n')).to.deep.equal([
      '*nat',
      ':SLUICE_OUTPUT - [0:0]',
      '-D OUTPUT -j SLUICE_OUTPUT',
      '-D OUTPUT -j SLUICE_OUTPUT',
      '-X SLUICE_OUTPUT',
      'COMMIT',
      '',
    ]);
  });

  it('are nothing when there is nothing to do: iptables would make a table', () => {
    expect(printIptables([], [])).to.equal('');
  });

  it('are the same with modules in another order, and with quotes or without', () => {
    const [one, other] = [
      '-p tcp -m comment --comment "outbound" -j REDIRECT --to-ports 1',
      '-p tcp -m tcp -m comment --comment outbound -j REDIRECT --to-ports 1',
    ].map((rule) =>
      iptablesLines([{ table: 'nat', builtIn: 'OUTPUT', chain: 'SLUICE_OUTPUT', rules: [rule], jumps: 1 }]),
    );
    expect(compareLines(one ?? new Map(), other ?? new Map())).to.deep.equal([]);
  });
});

describe('what is there, beside what should be', () => {
  const should = new Map([['output', ['a', 'b', 'b']]]);
  for (const { name, there, want } of [
    { name: 'says nothing of the same', there: [['output', ['a', 'b', 'b']]], want: [] },
    { name: 'names a chain that is missing', there: [], want: ['output: is missing'] },
    {
      name: 'names a chain that is too many',
      there: [
        ['output', ['a', 'b', 'b']],
        ['input', []],
      ],
      want: ['input: should not be there'],
    },
    { name: 'counts', there: [['output', ['a', 'b']]], want: ['output: missing: b'] },
    { name: 'names both', there: [['output', ['a', 'c', 'b', 'b']]], want: ['output: unexpected: c'] },
    {
      name: 'sees another order',
      there: [['output', ['b', 'a', 'b']]],
      want: ['output: the rules are in another order'],
    },
  ] as const satisfies readonly {
    name: string;
    there: readonly (readonly [string, readonly string[]])[];
    want: readonly string[];
  }[]) {
    it(name, () => expect(compareLines(should, new Map<string, readonly string[]>(there))).to.deep.equal(want));
  }
});

describe('either text', () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const descriptions = fc.record({
    agent: fc.record({ uid: fc.nat(70_000), gid: fc.option(fc.nat(70_000), { nil: undefined }) }),
    outbound: fc.record({
      excludePorts: fc.array(port, { maxLength: 5 }),
      excludeCidrs: fc.array(fc.ipV6(), { maxLength: 3 }),
    }),
    inbound: fc.record({ ports: fc.array(port, { maxLength: 5 }) }),
    families: fc.constantFrom<('ipv4' | 'ipv6')[]>(['ipv4'], ['ipv6'], ['ipv4', 'ipv6']),
  });

  it('is read back as what was written (property)', () => {
    fc.assert(
      fc.property(descriptions, (input) => {
        const ruleSet = ruleSetOf(input);
        expect(compareLines(nftLines(ruleSet), readNftLines(printNftables(ruleSet)))).to.deep.equal([]);
        for (const family of ['ipv4', 'ipv6'] as const) {
          const chains = ownChains(ruleSet, family);
          // As iptables-save lists a jump.
          const listed = printIptables(chains, []).replace(/^-I (\S+) 1 /gm, '-A $1 ');
          expect(compareLines(iptablesLines(chains), iptablesLines(readOwnChains(listed)))).to.deep.equal([]);
        }
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 100) },
    );
  });
});
