/**
 * The rules as nft reads and lists them. Written in the very form in which nft lists, one rule to a line and no sets, so
 * that what is there can be compared with what should be as text. Pure.
 */
import { formatCidr, withOneSpelling } from './cidr.ts';
import type { ChainName, Match, Rule, RuleSet, Verdict } from './rule-set.ts';

/** Ours alone. `inet` has IPv4 and IPv6 in one. */
export const nftTable = 'inet sluice';

/** -300 is before connections are tracked. 5 before where Docker and others translate: what they would do is still theirs. */
const hooks: Record<ChainName, { readonly name: string; readonly hook: string }> = {
  'track-output': { name: 'track_output', hook: 'type filter hook output priority -300; policy accept;' },
  output: { name: 'output', hook: 'type nat hook output priority -105; policy accept;' },
  prerouting: { name: 'prerouting', hook: 'type nat hook prerouting priority -105; policy accept;' },
};

/** For `nft -f -`: one transaction that replaces what is there. */
export function printNftables(ruleSet: RuleSet): string {
  return `table ${nftTable} {\n}\ndelete table ${nftTable}\n${nftTableText(ruleSet)}`;
}

/** For `nft -f -`: also when there is no such table. */
export function printNftablesRemoval(): string {
  return `table ${nftTable} {\n}\ndelete table ${nftTable}\n`;
}

function nftTableText(ruleSet: RuleSet): string {
  const chains = ruleSet.chains.map(({ name, rules }) => {
    const lines = [hooks[name].hook, ...familyLines(ruleSet), ...rules.map(ruleLine)];
    return `\tchain ${hooks[name].name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;
  });
  return `table ${nftTable} {\n${chains.join('\n')}}\n`;
}

/** What is compared: the lines of each chain by its name, hook included, in their order. */
export function nftLines(ruleSet: RuleSet): Map<string, readonly string[]> {
  return readNftLines(nftTableText(ruleSet));
}

/** Of `nft -nn list table`, or of our own text. */
export function readNftLines(listing: string): Map<string, readonly string[]> {
  const chains = [...listing.matchAll(/^\s*chain (\S+) \{\n([\s\S]*?)^\s*\}/gm)];
  return new Map(
    chains.map(([, name = '', body = '']) => [
      name,
      body
        .split('\n')
        .map((line) => normalized(line.trim()))
        .filter((line) => line !== ''),
    ]),
  );
}

/** Versions of nft differ in which numbers they give names. */
function normalized(line: string): string {
  return withOneSpelling(line)
    .replace(/ counter packets \d+ bytes \d+/, '')
    .replace(/\bl4proto 6\b/, 'l4proto tcp')
    .replace(/\bl4proto 17\b/, 'l4proto udp')
    .replace(/\bfib daddr type 2\b/, 'fib daddr type local')
    .replace(/\bnfproto 2\b/, 'nfproto ipv4')
    .replace(/\bnfproto 10\b/, 'nfproto ipv6')
    .replace(laterPattern, laterWords)
    .replace(/\bpriority raw;/, 'priority -300;')
    .replace(/\bpriority dstnat - 5;/, 'priority -105;');
}

/** A family that is not wanted is let alone by the first rule of each chain. */
function familyLines({ families }: RuleSet): string[] {
  if (families.length > 1) return [];
  return [`meta nfproto ${families[0] === 'ipv4' ? 'ipv6' : 'ipv4'} return comment "not intercepted"`];
}

function ruleLine({ match, verdict, why }: Rule): string {
  return [...matchWords(match), verdictWords(verdict), `comment "${why}"`].join(' ');
}

function matchWords(match: Match): string[] {
  const { uid, gid, cgroup, source, destination, protocol, sourcePort, destinationPort } = match;
  const address = (word: string, range: NonNullable<typeof source>) =>
    `${range.family === 'ipv4' ? 'ip' : 'ip6'} ${word} ${formatCidr(range)}`;
  const ports = [
    ...(sourcePort === undefined ? [] : [`${protocol} sport ${sourcePort}`]),
    ...(destinationPort === undefined ? [] : [`${protocol} dport ${destinationPort}`]),
  ];
  return [
    ...(match.inInterface === undefined ? [] : [`iifname "${match.inInterface}"`]),
    ...(uid === undefined ? [] : [`meta skuid ${uid}`]),
    ...(gid === undefined ? [] : [`meta skgid ${gid}`]),
    ...(cgroup === undefined ? [] : [`socket cgroupv2 level ${cgroup.split('/').length} "${cgroup}"`]),
    ...(source === undefined ? [] : [address('saddr', source)]),
    ...(destination === undefined ? [] : [address('daddr', destination)]),
    ...(match.isForThisHost === undefined ? [] : ['fib daddr type local']),
    ...(match.isEstablished === undefined ? [] : ['ct state established']),
    ...(match.isLater === undefined ? [] : [laterWords]),
    // A port says the protocol already, and so do flags.
    ...(ports.length > 0 || match.isLater || protocol === undefined ? ports : [`meta l4proto ${protocol}`]),
  ];
}

const laterWords = 'tcp flags & (fin | syn | rst | ack) != syn';
/** The same in other versions of nft, and in numbers. */
const laterPattern =
  /\btcp flags (?:!= (?:syn|0x0?2) \/ (?:fin,syn,rst,ack|0x0?1,0x0?2,0x0?4,0x10)|& (?:\(0x0?1 \| 0x0?2 \| 0x0?4 \| 0x10\)|0x17) != (?:syn|0x0?2))/;

function verdictWords(verdict: Verdict): string {
  switch (verdict.is) {
    case 'leave':
      return 'return';
    case 'redirect':
      return `redirect to :${verdict.port}`;
    case 'zone':
      return `ct zone set ${verdict.zone}`;
  }
}
