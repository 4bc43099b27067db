/**
 * The rules, as a value: a pure function of the description, the same for every backend. A chain is asked from top to
 * bottom for the first packet of a connection; the first rule that matches decides.
 */
import { type Cidr, type IpFamily, parseCidr } from './cidr.ts';
import type { Interception } from './description.ts';

/** All that is given has to be so. */
export interface Match {
  readonly protocol?: 'tcp' | 'udp';
  readonly destination?: Cidr;
  readonly source?: Cidr;
  readonly destinationPort?: number;
  readonly sourcePort?: number;
  /** Of the process that the packet is from. */
  readonly uid?: number;
  readonly gid?: number;
  readonly cgroup?: string;
  /** The packet is for an address of this host: not forwarded, not broadcast. */
  readonly isForThisHost?: true;
  readonly inInterface?: 'lo';
}

export type Verdict =
  | { readonly is: 'leave' }
  | { readonly is: 'redirect'; readonly port: number }
  /** Keeps the connection apart in the kernel's table of connections. */
  | { readonly is: 'zone'; readonly zone: number };

export interface Rule {
  readonly match: Match;
  readonly verdict: Verdict;
  /** Stands beside the rule in the kernel's list: letters, digits, spaces and hyphens. */
  readonly why: string;
}

/** Before connections are tracked; what this host's processes send; what arrives from elsewhere. */
export type ChainName = 'track-output' | 'output' | 'prerouting';

export interface Chain {
  readonly name: ChainName;
  /** Never empty. */
  readonly rules: readonly Rule[];
}

export interface RuleSet {
  readonly families: readonly IpFamily[];
  /** Only those that are needed. */
  readonly chains: readonly Chain[];
  /** Ranges that are to be routed to this host. */
  readonly routes: readonly Cidr[];
}

/** The zone of the kernel's table of connections for questions of names that are taken. Any number would do but 0. */
export const dnsZone = 15053;
const dns = 53;
const ssh = 22;

export function createRuleSet(described: Interception): RuleSet {
  const { families } = described;
  const isWanted = (rule: Rule) => {
    const range = rule.match.destination ?? rule.match.source;
    return range === undefined || families.includes(range.family);
  };
  const chains: readonly Chain[] = [
    { name: 'track-output', rules: trackOutput(described) },
    { name: 'output', rules: output(described) },
    { name: 'prerouting', rules: prerouting(described) },
  ];
  return {
    families,
    chains: chains
      .map(({ name, rules }) => ({ name, rules: rules.filter(isWanted) }))
      .filter(({ rules }) => rules.length > 0),
    routes: described.vipRanges.filter(({ family }) => families.includes(family)),
  };
}

/**
 * A question that is taken and one that the agent then asks the same server itself may come from the same port within
 * the 30 s that the kernel remembers UDP, and would be taken for the same conversation: the agent would ask itself. So
 * what is taken has its own zone. With TCP the kernel notices by itself that a connection is new.
 */
function trackOutput(described: Interception): Rule[] {
  const asked = questions(described, 'udp');
  if (asked.length === 0) return [];
  const verdict: Verdict = { is: 'zone', zone: dnsZone };
  return [
    { match: { protocol: 'udp', sourcePort: described.dnsPort }, verdict, why: 'answers to names that were asked' },
    ...leaveToAgent(described),
    ...leaveToUsers(described),
    ...linkLocals.map((range) => leave('link-local', { destination: range })),
    ...asked.map((match) => ({ match, verdict, why: 'names apart from what the agent asks' })),
  ];
}

function output(described: Interception): Rule[] {
  const { outbound, outboundPort, dnsPort } = described;
  return [
    // First of all, or whatever the agent sends would come back to it.
    ...leaveToAgent(described),
    ...described.controlPlane.map(({ address, port }) =>
      leave('the control plane', { protocol: 'tcp', destination: address, destinationPort: port }),
    ),
    // Before everything that is excluded: nobody else answers at these addresses.
    ...described.vipRanges.map((range) =>
      redirect('virtual IPs', { protocol: 'tcp', destination: range }, outboundPort),
    ),
    // Before names: a resolver on this host asks others, and its questions must not come back to it.
    ...leaveToUsers(described),
    // Before names: the kernel drops what goes from a link-local address to ::1, so redirected it would reach nobody.
    ...linkLocals.map((range) => leave('link-local', { destination: range })),
    // Before loopback: the resolver of many hosts is 127.0.0.53 or 127.0.0.11.
    ...(['udp', 'tcp'] as const).flatMap((protocol) =>
      questions(described, protocol).map((match) => redirect('names', match, dnsPort)),
    ),
    ...loopbacks.map((range) => leave('loopback', { destination: range })),
    ...ownPorts(described).map((port) =>
      leave('ports of the agent', { protocol: 'tcp', isForThisHost: true, destinationPort: port }),
    ),
    ...outbound.excludeCidrs.map((range) => leave('excluded addresses', { destination: range })),
    ...outbound.excludePorts.map((port) => leave('excluded ports', { protocol: 'tcp', destinationPort: port })),
    ...ofUsers(described, { protocol: 'tcp' }).map((match) => redirect('outbound', match, outboundPort)),
  ];
}

/** Only what is for this host itself is taken: a host may also forward what is for its containers. */
function prerouting(described: Interception): Rule[] {
  const { inbound, inboundPort } = described;
  if (inbound.ports !== 'all' && inbound.ports.length === 0) return [];
  const taken: readonly Match[] =
    inbound.ports === 'all' ? [{}] : unique(inbound.ports).map((port) => ({ destinationPort: port }));
  return [
    leave('loopback', { inInterface: 'lo' }),
    ...ownPorts(described).map((port) => leave('ports of the agent', { protocol: 'tcp', destinationPort: port })),
    ...(inbound.ports === 'all' ? [leave('ssh', { protocol: 'tcp', destinationPort: ssh })] : []),
    ...inbound.excludeCidrs.map((range) => leave('excluded callers', { source: range })),
    ...unique(inbound.excludePorts).map((port) => leave('excluded ports', { protocol: 'tcp', destinationPort: port })),
    ...taken.map((match) => redirect('inbound', { protocol: 'tcp', isForThisHost: true, ...match }, inboundPort)),
  ];
}

function leaveToAgent({ agent: { uid, gid, cgroup } }: Interception): Rule[] {
  return [
    ...(uid === undefined ? [] : [leave('the agent itself', { uid })]),
    ...(gid === undefined ? [] : [leave('the agent itself', { gid })]),
    ...(cgroup === undefined ? [] : [leave('the agent itself', { cgroup })]),
  ];
}

function leaveToUsers({ outbound }: Interception): Rule[] {
  return unique(outbound.excludeUids).map((uid) => leave('excluded users', { uid }));
}

/** What questions of names look like that are taken. */
function questions(described: Interception, protocol: 'tcp' | 'udp'): Match[] {
  const servers: readonly Match[] =
    described.dnsServers === 'all' ? [{}] : described.dnsServers.map((destination) => ({ destination }));
  return servers.flatMap((server) => ofUsers(described, { protocol, ...server, destinationPort: dns }));
}

function ofUsers({ outbound: { uids } }: Interception, match: Match): Match[] {
  return uids === 'all' ? [match] : unique(uids).map((uid) => ({ uid, ...match }));
}

function ownPorts({ outboundPort, inboundPort, dnsPort, ownPorts: others }: Interception): number[] {
  return unique([outboundPort, inboundPort, dnsPort, ...others]);
}

function leave(why: string, match: Match): Rule {
  return { match, verdict: { is: 'leave' }, why };
}

function redirect(why: string, match: Match, port: number): Rule {
  return { match, verdict: { is: 'redirect', port }, why };
}

function unique(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}

const linkLocals = ['fe80::/10'].flatMap((text) => parseCidr(text) ?? []);
const loopbacks = ['127.0.0.0/8', '::1'].flatMap((text) => parseCidr(text) ?? []);
