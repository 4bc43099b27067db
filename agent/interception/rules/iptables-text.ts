/**
 * The rules as iptables-restore reads and iptables-save lists them: our own chains, and one jump to each from a built-in
 * chain. One transaction a table; tables and families are separate ones. Pure.
 */
import { type Cidr, formatWithPrefix, type IpFamily, withOneSpelling } from './cidr.ts';
import type { ChainName, Match, Rule, RuleSet, Verdict } from './rule-set.ts';

interface Place {
  readonly table: 'nat' | 'raw';
  readonly builtIn: 'OUTPUT' | 'PREROUTING';
  readonly chain: 'SLUICE_OUTPUT' | 'SLUICE_PREROUTING';
}

const places: Record<ChainName, Place> = {
  output: { table: 'nat', builtIn: 'OUTPUT', chain: 'SLUICE_OUTPUT' },
  prerouting: { table: 'nat', builtIn: 'PREROUTING', chain: 'SLUICE_PREROUTING' },
  'track-output': { table: 'raw', builtIn: 'OUTPUT', chain: 'SLUICE_OUTPUT' },
};
/** The table that kernels lack sooner comes first: what fails, fails before much has changed. */
const tables = ['raw', 'nat'] as const;

/** What is ours in one chain: its rules, as in `-A SLUICE_OUTPUT …` without these two words, and the jumps to it. */
export interface OwnChain extends Place {
  readonly rules: readonly string[];
  readonly jumps: number;
}

/** The chains that a rule set has in one family. */
export function ownChains({ chains, families }: RuleSet, family: IpFamily): OwnChain[] {
  if (!families.includes(family)) return [];
  return chains.map(({ name, rules }) => ({
    ...places[name],
    rules: rules.filter(({ match }) => isOf(match, family)).map(ruleText),
    jumps: 1,
  }));
}

/** Our chains in what iptables-save has written, or nothing when there are none. */
export function readOwnChains(saved: string): OwnChain[] {
  const found = new Map<string, { place: Place; rules: string[]; jumps: number }>();
  let table = '';
  const at = (chain: string) => {
    const place = Object.values(places).find((each) => each.table === table && each.chain === chain);
    if (place === undefined) return undefined;
    const key = `${table} ${chain}`;
    const own = found.get(key) ?? { place, rules: [], jumps: 0 };
    found.set(key, own);
    return own;
  };
  for (const line of saved.split('\n').map((each) => each.trim())) {
    const [, name] = /^\*(\S+)$/.exec(line) ?? [];
    const [, declared] = /^:(\S+) /.exec(line) ?? [];
    const [, chain = '', rule = ''] = /^(?:\[\d+:\d+\] )?-A (\S+) (.*)$/.exec(line) ?? [];
    const [, target] = /^-j (\S+)$/.exec(rule) ?? [];
    if (name !== undefined) table = name;
    else if (declared !== undefined) at(declared);
    else if (chain.startsWith('SLUICE_')) at(chain)?.rules.push(rule);
    else if (target !== undefined) {
      const own = at(target);
      if (own !== undefined) own.jumps++;
    }
  }
  return [...found.values()].map(({ place, rules, jumps }) => ({ ...place, rules, jumps }));
}

/**
 * For `iptables-restore --noflush`: makes `wanted` of what is `there`. '' when there is nothing to do: iptables makes
 * the tables that it is asked about.
 */
export function printIptables(wanted: readonly OwnChain[], there: readonly OwnChain[]): string {
  return tables.map((table) => tableText(table, ofTable(wanted, table), ofTable(there, table))).join('');
}

function tableText(table: string, wanted: readonly OwnChain[], there: readonly OwnChain[]): string {
  const names = new Set([...there, ...wanted].map(({ chain }) => chain));
  if (names.size === 0) return '';
  const gone = there.filter(({ chain }) => !wanted.some((each) => each.chain === chain));
  const lines = [
    `*${table}`,
    // Made, or emptied when it is there.
    ...[...names].map((name) => `:${name} - [0:0]`),
    ...there.flatMap(({ builtIn, chain, jumps }) => Array<string>(jumps).fill(`-D ${builtIn} -j ${chain}`)),
    ...wanted.flatMap(({ chain, rules }) => rules.map((rule) => `-A ${chain} ${rule}`)),
    // Before what others translate, such as Docker's own name server.
    ...wanted.flatMap(({ builtIn, chain, jumps }) => Array<string>(jumps).fill(`-I ${builtIn} 1 -j ${chain}`)),
    ...gone.map(({ chain }) => `-X ${chain}`),
    'COMMIT',
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** What is compared: the rules of each chain, in their order, by `TABLE CHAIN`. */
export function iptablesLines(chains: readonly OwnChain[]): Map<string, readonly string[]> {
  return new Map(
    chains.map(({ table, chain, builtIn, rules, jumps }) => [
      `${table} ${chain}`,
      [`jumps from ${builtIn}: ${jumps}`, ...rules.map(normalized)],
    ]),
  );
}

/** The modules of a rule in one order, without those that only repeat the protocol, words without quotes: versions differ. */
function normalized(rule: string): string {
  const words = withOneSpelling(rule)
    .replace(/ -m (?:tcp|udp)\b/g, '')
    .replace(/"([^"\s]*)"/g, '$1');
  const [conditions = '', target = ''] = words.split(/ (?=-j )/);
  const parts = ` ${conditions}`.split(/ (?=-(?!-))/).map((part) => part.trim());
  return [...parts.filter((part) => part !== '').sort(), target].join(' ');
}

function ofTable(chains: readonly OwnChain[], table: string): OwnChain[] {
  return chains.filter((each) => each.table === table);
}

function isOf({ destination, source }: Match, family: IpFamily): boolean {
  const range = destination ?? source;
  return range === undefined || range.family === family;
}

function ruleText({ match, verdict, why }: Rule): string {
  return [...matchWords(match), `-m comment --comment "${why}"`, ...verdictWords(verdict)].join(' ');
}

function matchWords(match: Match): string[] {
  const { uid, gid, cgroup, source, destination, protocol, sourcePort, destinationPort } = match;
  return [
    ...rangeWords('-s', source),
    ...rangeWords('-d', destination),
    ...(match.inInterface === undefined ? [] : [`-i ${match.inInterface}`]),
    ...(protocol === undefined ? [] : [`-p ${protocol}`]),
    ...(uid === undefined ? [] : [`-m owner --uid-owner ${uid}`]),
    ...(gid === undefined ? [] : [`-m owner --gid-owner ${gid}`]),
    ...(cgroup === undefined ? [] : [`-m cgroup --path ${cgroup}`]),
    ...(match.isForThisHost === undefined ? [] : ['-m addrtype --dst-type LOCAL']),
    ...(match.isEstablished === undefined ? [] : ['-m conntrack --ctstate ESTABLISHED']),
    ...(match.isLater === undefined ? [] : [`-m ${protocol} ! --tcp-flags FIN,SYN,RST,ACK SYN`]),
    ...(sourcePort === undefined ? [] : [`-m ${protocol} --sport ${sourcePort}`]),
    ...(destinationPort === undefined ? [] : [`-m ${protocol} --dport ${destinationPort}`]),
  ];
}

/** All addresses are not listed, so they are not written. */
function rangeWords(flag: string, range: Cidr | undefined): string[] {
  return range === undefined || range.prefix === 0 ? [] : [`${flag} ${formatWithPrefix(range)}`];
}

function verdictWords(verdict: Verdict): string[] {
  switch (verdict.is) {
    case 'leave':
      return ['-j RETURN'];
    case 'redirect':
      return [`-j REDIRECT --to-ports ${verdict.port}`];
    case 'zone':
      return [`-j CT --zone ${verdict.zone}`];
  }
}
