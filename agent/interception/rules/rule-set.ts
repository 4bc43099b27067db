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
  /** Of TCP: not the packet that begins a connection. */
  readonly isLater?: true;
  /** Of a connection that the kernel knows already. */
  readonly isEstablished?: true;
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
 * What stays of these rules while the agent ends what it has: nothing is taken any more, and connections that were go on. The kernel
 * translates their packets, and sees their ends, only as long as there is a rule that asks for connections.
 */
export function createReleasedRuleSet(described: Interception): RuleSet {
  const { families, chains, routes } = createRuleSet(described);
  const answering = chains
    .filter(({ name }) => name === 'track-output')
    .map(({ name, rules }) => ({ name, rules: rules.filter(({ why }) => why === answers) }));
  const output: Chain = { name: 'output', rules: [leave('open connections go on', { isEstablished: true })] };
  return { families, chains: [...answering, output], routes };
}

/** Of these rules those that take what this host sends. */
export function withoutCallers(described: Interception): Interception {
  const { inbound, applications } = described;
  return {
    ...described,
    inbound: { ...inbound, ports: [] },
    applications: applications?.map((each) => ({ ...each, ports: [], loopbackPorts: [] })),
  };
}

/**
 * A question that is taken and one that the agent then asks the same server itself may come from the same port within
 * the 30 s that the kernel remembers UDP, and would be taken for the same conversation: the agent would ask itself. So
 * what is taken has its own zone. With TCP the kernel notices by itself that a connection is new.
 */
function trackOutput(described: Interception): Rule[] {
  const asking = takersOf(described).filter((taker) => questions(described, taker, 'udp').length > 0);
  if (asking.length === 0) return [];
  const verdict: Verdict = { is: 'zone', zone: dnsZone };
  return [
    ...asking.map(
      ({ dnsPort }): Rule => ({
        match: { protocol: 'udp', sourcePort: dnsPort },
        verdict,
        why: answers,
      }),
    ),
    ...leaveToAgent(described),
    ...leaveToUsers(described),
    ...linkLocals.map((range) => leave('link-local', { destination: range })),
    ...asking
      .flatMap((taker) => questions(described, taker, 'udp'))
      .map((match) => ({ match, verdict, why: 'names apart from what the agent asks' })),
  ];
}

function output(described: Interception): Rule[] {
  const { outbound, applications } = described;
  const takers = takersOf(described);
  return [
    laterPackets,
    ...(applications === undefined ? [] : betweenApplications(described, takers)),
    // Before all others, or whatever the agent sends would come back to it.
    ...leaveToAgent(described),
    ...described.controlPlane.map(({ address, port }) =>
      leave('the control plane', { protocol: 'tcp', destination: address, destinationPort: port }),
    ),
    // Before everything that is excluded: nobody else answers at these addresses.
    ...described.vipRanges.flatMap((range) =>
      takers.flatMap(({ senders, outboundPort }) =>
        // Of one application all are taken, whoever they are from.
        (applications === undefined ? everybody : senders).map((sender) =>
          redirect('virtual IPs', { ...sender, protocol: 'tcp', destination: range }, outboundPort),
        ),
      ),
    ),
    // Before names: a resolver on this host asks others, and its questions must not come back to it.
    ...leaveToUsers(described),
    // Before names: the kernel drops what goes from a link-local address to ::1, so redirected it would reach nobody.
    ...linkLocals.map((range) => leave('link-local', { destination: range })),
    // Before loopback: the resolver of many hosts is 127.0.0.53 or 127.0.0.11.
    ...(['udp', 'tcp'] as const).flatMap((protocol) =>
      takers.flatMap((taker) =>
        questions(described, taker, protocol).map((match) => redirect('names', match, taker.dnsPort)),
      ),
    ),
    ...loopbacks.map((range) => leave('loopback', { destination: range })),
    ...ownPorts(described).map((port) =>
      leave('ports of the agent', { protocol: 'tcp', isForThisHost: true, destinationPort: port }),
    ),
    ...outbound.excludeCidrs.map((range) => leave('excluded addresses', { destination: range })),
    ...outbound.excludePorts.map((port) => leave('excluded ports', { protocol: 'tcp', destinationPort: port })),
    ...takers.flatMap(({ senders, outboundPort }) =>
      senders.map((sender) => redirect('outbound', { ...sender, protocol: 'tcp' }, outboundPort)),
    ),
  ];
}

/** Only what is for this host itself is taken: a host may also forward what is for its containers. */
function prerouting(described: Interception): Rule[] {
  const { inbound, applications } = described;
  const takers = takersOf(described);
  if (takers.every(({ receives }) => receives.length === 0)) return [];
  const isAll = applications === undefined && inbound.ports === 'all';
  return [
    laterPackets,
    leave('loopback', { inInterface: 'lo' }),
    ...ownPorts(described).map((port) => leave('ports of the agent', { protocol: 'tcp', destinationPort: port })),
    ...(isAll ? [leave('ssh', { protocol: 'tcp', destinationPort: ssh })] : []),
    ...inbound.excludeCidrs.map((range) => leave('excluded callers', { source: range })),
    ...unique(inbound.excludePorts).map((port) => leave('excluded ports', { protocol: 'tcp', destinationPort: port })),
    ...takers.flatMap(({ receives, inboundPort }) =>
      receives.map((match) => redirect('inbound', { protocol: 'tcp', isForThisHost: true, ...match }, inboundPort)),
    ),
  ];
}

/**
 * What the agent sends for one application to another one on this host never arrives from outside: it is brought to that one's inbound
 * here. What an inbound passes on to its application goes over loopback, and is let alone.
 */
function betweenApplications({ agent: { uid } }: Interception, takers: readonly Taker[]): Rule[] {
  const received = takers.flatMap((taker) => taker.receivesFromAgent.map((match) => ({ ...taker, match })));
  if (uid === undefined || received.length === 0) return [];
  return [
    ...loopbacks.map((range) => leave('loopback', { uid, destination: range })),
    ...received.map(({ match, inboundPort }) =>
      redirect('inbound', { uid, protocol: 'tcp', isForThisHost: true, ...match }, inboundPort),
    ),
  ];
}

/** Where connections of an application go, and connections to it. */
interface Taker {
  /** What is from it. */
  readonly senders: readonly Match[];
  readonly outboundPort: number;
  readonly dnsPort: number;
  readonly asksNames: boolean;
  /** What is for it. */
  readonly receives: readonly Match[];
  /** Of it what the agent sends for another one. */
  readonly receivesFromAgent: readonly Match[];
  readonly inboundPort: number;
}

const everybody: readonly Match[] = [{}];

function takersOf(described: Interception): Taker[] {
  const { outbound, inbound, outboundPort, inboundPort, dnsPort, applications } = described;
  const toPorts = (ports: readonly number[]) => unique(ports).map((port) => ({ destinationPort: port }));
  if (applications === undefined) {
    const senders = outbound.uids === 'all' ? everybody : unique(outbound.uids).map((uid) => ({ uid }));
    const receives = inbound.ports === 'all' ? everybody : toPorts(inbound.ports);
    return [{ senders, outboundPort, dnsPort, asksNames: true, receives, receivesFromAgent: [], inboundPort }];
  }
  return applications.map(({ uids, gids, ports, loopbackPorts, ...own }) => ({
    senders: [...unique(uids).map((uid) => ({ uid })), ...unique(gids).map((gid) => ({ gid }))],
    outboundPort: own.outboundPort,
    dnsPort: own.dnsPort ?? dnsPort,
    asksNames: own.dnsPort !== undefined,
    receives: own.inboundPort === undefined ? [] : toPorts(ports),
    receivesFromAgent: own.inboundPort === undefined ? [] : toPorts(loopbackPorts),
    inboundPort: own.inboundPort ?? inboundPort,
  }));
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
function questions({ dnsServers }: Interception, { senders, asksNames }: Taker, protocol: 'tcp' | 'udp'): Match[] {
  if (!asksNames) return [];
  const servers: readonly Match[] =
    dnsServers === 'all' ? everybody : dnsServers.map((destination) => ({ destination }));
  return servers.flatMap((server) =>
    senders.map((sender) => ({ ...sender, protocol, ...server, destinationPort: dns })),
  );
}

function ownPorts(described: Interception): number[] {
  const { outboundPort, inboundPort, dnsPort, applications, ownPorts: others } = described;
  const own =
    applications === undefined
      ? [outboundPort, inboundPort, dnsPort]
      : applications.flatMap((each) => [each.outboundPort, each.inboundPort ?? [], each.dnsPort ?? []].flat());
  return unique([...own, ...others]);
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

const answers = 'answers to names that were asked';
/**
 * To the kernel a connection begins with the first packet that it sees of it. Of those that are older than the first rule of a host that
 * is one in the middle: redirected, it would meet nobody who knows of it, and the connection would be reset.
 */
const laterPackets = leave('open connections', { protocol: 'tcp', isLater: true });
const linkLocals = ['fe80::/10'].flatMap((text) => parseCidr(text) ?? []);
const loopbacks = ['127.0.0.0/8', '::1'].flatMap((text) => parseCidr(text) ?? []);
