/** Which instance of a cluster would take a request if it came now, and why not the others: what the balancer foresees, in words. */
import { formatHostPort } from '../../process/host-port.ts';
import { HealthStatus } from '../../proto/types.ts';
import type { Prospect } from '../balance/cluster-balancer.ts';
import type { LoadBalancerPolicy } from '../balance/policy.ts';
import type { ClusterView, EndpointView } from '../view/cluster-view.ts';
import { dumpEndpoint } from './cluster-dump.ts';
import type { LimitVerdict } from './explain-limits.ts';

/**
 * - `next`: the request goes to it
 * - `possible`: it may be the one; chance decides
 * - `later`: for other requests, or when those before it cannot be reached; or a limit refuses the request, whose turn it is
 * - `last`: when there is nobody else
 * - `never`
 */
export type Verdict = 'next' | 'possible' | 'later' | 'last' | 'never';

export type InstanceExplanation = ReturnType<typeof explainInstance>;

export interface DestinationExplanation {
  /** As sentences call it: `reviews.default, subset v1`. */
  readonly target: string;
  /** As counters and the access log call it: `reviews.default|http|v1`. */
  readonly cluster: string;
  readonly policy: LoadBalancerPolicy;
  /** Too few instances are free of suspicion: it is ignored. */
  readonly panic: boolean;
  /** What else has a say in it, a sentence each. */
  readonly notes: readonly string[];
  readonly instances: readonly InstanceExplanation[];
}

/**
 * - `nobody`: no instance can be asked
 * - `limit`: a circuit breaker refuses the request, as `limit` says, whoever's turn it is
 */
export type Obstacle = { readonly is: 'nobody' } | { readonly is: 'limit'; readonly limit: string };

/**
 * `hash`: of the request; undefined when the policy goes by none, or when the request has nothing of what it goes by.
 * `limitOn`: what limits would do to it at this instance. Beside it what stands in the way, if something does.
 */
export function explainDestination(
  cluster: ClusterView,
  hash: number | undefined,
  limitOn: (endpoint: EndpointView) => LimitVerdict,
): { readonly destination: DestinationExplanation; readonly obstacle: Obstacle | undefined } {
  const prospect = cluster.balancer.prospect(hash);
  const { title, name, policy, endpoints } = cluster;
  const context = { cluster, prospect, hash, limitOn };
  const limits = prospect.next.map(limitOn);
  const destination = {
    target: title,
    cluster: name,
    policy,
    panic: prospect.isInPanic,
    notes: [...cluster.notInEffect, ...notesOf(cluster, prospect, hash), ...waitNotes(limits)],
    instances: endpoints.map((endpoint) => explainInstance(endpoint, context)),
  };
  return { destination, obstacle: obstacleOf(limits) };
}

/** `limits`: of those whose turn it may be. */
function obstacleOf(limits: readonly LimitVerdict[]): Obstacle | undefined {
  const [first] = limits;
  if (first === undefined) return { is: 'nobody' };
  const isRefused = limits.every(({ is }) => is === 'refused');
  return isRefused && first.is === 'refused' ? { is: 'limit', limit: first.sentence } : undefined;
}

/** For a sentence that says where the request goes; '' when there is nobody. */
export function nextWords({ instances }: DestinationExplanation): string {
  const next = instances.filter(({ verdict }) => verdict === 'next' || verdict === 'possible');
  const [first] = next;
  if (first === undefined) return '';
  if (next.length > 1) return `one of ${next.length} instances, by chance`;
  const at = formatHostPort({ host: first.address, port: first.port });
  return first.instance === '' ? at : `${first.instance} (${at})`;
}

interface Context {
  readonly cluster: ClusterView;
  readonly prospect: Prospect<EndpointView>;
  readonly hash: number | undefined;
  readonly limitOn: (endpoint: EndpointView) => LimitVerdict;
}

function explainInstance(endpoint: EndpointView, context: Context) {
  const dumped = dumpEndpoint(endpoint, context.cluster);
  const isSuspected = dumped.ejectedUntil !== null || dumped.check === 'failing';
  return { ...dumped, ...judge(endpoint, suspicionOf(dumped), isSuspected, context) };
}

interface Judgement {
  readonly verdict: Verdict;
  readonly because: string;
}

function judge(endpoint: EndpointView, suspicion: string, isSuspected: boolean, context: Context): Judgement {
  const { prospect } = context;
  if (endpoint.availability === 'unavailable') return { verdict: 'never', because: unavailability(endpoint) };
  if (prospect.next.includes(endpoint)) {
    const reservation = isSuspected ? reservationOf(suspicion, prospect) : '';
    const limit = context.limitOn(endpoint);
    if (limit.is === 'refused') return { verdict: 'later', because: `${reservation}${limit.sentence}` };
    return prospect.next.length === 1
      ? { verdict: 'next', because: `${reservation}${reasonFor(context)}` }
      : { verdict: 'possible', because: `${reservation}${chanceWords(context)}` };
  }
  if (isSuspected && !(prospect.isInPanic && endpoint.availability === 'healthy')) {
    return prospect.asksSuspected
      ? { verdict: 'last', because: `${suspicion}: it is asked when there is nobody else` }
      : { verdict: 'never', because: suspicion };
  }
  if (endpoint.availability === 'degraded' && prospect.level === 'healthy') {
    return { verdict: 'last', because: 'its lease is lost: it is asked when no healthy instance can be' };
  }
  return { verdict: 'later', because: reasonAgainst(endpoint, context) };
}

function unavailability({ health }: EndpointView): string {
  switch (health) {
    case HealthStatus.DRAINING:
      return 'it drains';
    case HealthStatus.UNHEALTHY:
      return 'it fails: its application does not answer';
    default:
      return 'the registry says that it takes no requests';
  }
}

function suspicionOf({ ejectedUntil, check }: ReturnType<typeof dumpEndpoint>): string {
  return ejectedUntil === null
    ? `its health check is ${check}`
    : `it failed too often and is ejected until ${ejectedUntil}`;
}

function reservationOf(suspicion: string, { isInPanic }: Prospect<EndpointView>): string {
  return `${suspicion}, but ${isInPanic ? 'suspicion is ignored' : 'there is nobody else'}; `;
}

/** Why this one, where it is certain. */
function reasonFor({ cluster: { policy }, prospect, hash }: Context): string {
  if (prospect.level === 'suspected') return 'it is the only one left';
  if (hash !== undefined) return 'the hash of the request belongs to it';
  switch (policy) {
    case 'round-robin':
      return 'it is its turn';
    case 'least-request':
      return 'nobody else has as few requests under way for its weight';
    default:
      return 'it is the only one that can be asked';
  }
}

function chanceWords({ cluster: { policy }, prospect }: Context): string {
  if (prospect.level === 'suspected') return 'chance decides, by weight';
  switch (policy) {
    case 'round-robin':
      return 'the first turn is anybody’s';
    case 'least-request':
      return 'of two that chance draws, the one with fewer requests under way for its weight';
    default:
      return 'chance decides, by weight';
  }
}

/** Why not this one, which could be asked. */
function reasonAgainst(endpoint: EndpointView, { cluster, prospect, hash }: Context): string {
  const { preferredZone, policy } = cluster;
  const isLocal = endpoint.zone === preferredZone;
  if (preferredZone !== undefined && prospect.next.every(({ zone }) => (zone === preferredZone) !== isLocal)) {
    return isLocal
      ? 'it is the turn of the other zones'
      : `it is in ${endpoint.zone === '' ? 'no zone' : `the zone ${endpoint.zone}`}, not in the agent’s own`;
  }
  if (hash !== undefined) return 'the hash of the request belongs to another';
  return policy === 'least-request' ? 'it is busier than all others' : 'it is the turn of another';
}

/** Once, though several may be next. */
function waitNotes(limits: readonly LimitVerdict[]): string[] {
  const sentences = limits.flatMap((limit) => (limit.is === 'waits' ? [limit.sentence] : []));
  return sentences.slice(0, 1);
}

function notesOf(cluster: ClusterView, prospect: Prospect<EndpointView>, hash: number | undefined): string[] {
  const { policy, preferredZone } = cluster;
  const { localPercent, isInPanic, level } = prospect;
  const goesByHash = policy === 'ring-hash' || policy === 'maglev';
  return [
    ...(localPercent === undefined || preferredZone === undefined
      ? []
      : [`${localPercent} % of the requests go to the agent’s own zone, ${preferredZone}`]),
    ...(isInPanic ? ['panic: too few healthy instances are free of suspicion, so that it is ignored'] : []),
    ...(level === 'degraded' ? ['no healthy instance can be asked: those go whose lease is lost'] : []),
    ...(level === 'suspected' ? ['all instances that could be asked are suspected'] : []),
    ...(goesByHash && hash === undefined ? [`${policy} finds nothing of what hashOn names: chance decides`] : []),
  ];
}
