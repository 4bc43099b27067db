/**
 * What would become of a request if it came now: `POST /explain`. It is read by the parser of requests, and answered by the
 * tables and balancers that route, which are only looked at: no turn is taken, nothing is counted, no lot is drawn, and
 * the control plane is asked nothing.
 */
import { clusterWords } from '../../routing/cluster-words.ts';
import { type Explanation, explain, type PassedOver, type StickyTarget } from '../../routing/explain.ts';
import type { RouteRequest } from '../../routing/request.ts';
import type { RouteTable } from '../../routing/route-table.ts';
import type { Load } from '../balance/balancer.ts';
import { RequestHead } from '../http1/request-head.ts';
import { Authorities } from '../proxy/authorities.ts';
import { anyConnection } from '../proxy/connection-route.ts';
import { type Refusal, statusOf } from '../proxy/local-answer.ts';
import { defaultHttpPort, defaultResolveTimeoutMs } from '../proxy/outbound.ts';
import type { PoolState } from '../proxy/pools.ts';
import {
  abortOf,
  type NotFound,
  noAuthority,
  noHealthyInstance,
  noRuleTakes,
  noSuchPort,
  takesConnections,
  tooManyUnderWay,
  unknownService,
} from '../proxy/route-refusals.ts';
import { clusterOf, speaksHttp } from '../proxy/service-route.ts';
import { refusalOf } from '../proxy/unreadable.ts';
import type { ClusterView, EndpointView } from '../view/cluster-view.ts';
import type { Resolution } from '../view/mesh-directory.ts';
import type { MeshView, ServiceView } from '../view/mesh-view.ts';
import type { LimitReport } from './agent-report.ts';
import type { AskedRequest } from './explain-body.ts';
import { type DestinationExplanation, explainDestination, nextWords, type Obstacle } from './explain-destination.ts';
import { limitsOnConnection, limitsOnRequest } from './explain-limits.ts';

/** What the agent knows, for looking at alone. */
export interface LookedAtMesh {
  /** One whose use is not noted: a name stays subscribed to as long as applications use it. */
  readonly view: MeshView;
  /** Why names cannot be asked for; '' when they can. */
  readonly obstacle: string;
  /** What is known of a name that is not in the view. */
  standingOf(name: string): Resolution | 'asked' | undefined;
  /** Of names that are written without one. */
  readonly namespace: string;
  /** The connections to an instance, of this listener; of all when there is none of that name. */
  readonly poolOf: (load: Load, listener: string) => PoolState;
}

export interface KnownMesh extends LookedAtMesh {
  /** Processes that carry requests, besides this one; 0 when it is this one. */
  readonly workers: number;
  /** Of what leaves the application; undefined when it has none of its own. */
  readonly limits?: LimitReport | undefined;
}

/** Of JSON; what does not apply is null or empty. */
export interface RequestExplanation {
  /**
   * `forwarded`: to `destination`. `answered`: by the agent itself, with `answer`. `outside`: passed on to a host outside
   * the mesh. `unknown`: the control plane would be asked first.
   */
  readonly outcome: 'forwarded' | 'answered' | 'outside' | 'unknown';
  /** All of it in one sentence. */
  readonly sentence: string;
  readonly answer: OwnAnswer | null;
  readonly revision: number;
  readonly service: string | null;
  readonly port: number | null;
  /** What is tried before the rule that takes the request, in order. */
  readonly passedOver: readonly PassedOver[];
  /** "route/rule"; also null when the service has no Route. */
  readonly rule: string | null;
  readonly match: readonly string[];
  readonly policy: readonly string[];
  readonly split: readonly SplitShare[];
  readonly sticky: { readonly key: string; readonly value: string | null; readonly target: string | null } | null;
  readonly destination: DestinationExplanation | null;
  readonly notes: readonly string[];
}

export interface OwnAnswer {
  readonly status: number;
  readonly reason: string;
  readonly sentence: string;
  readonly location: string | null;
}

export interface SplitShare {
  readonly target: string;
  readonly cluster: string;
  readonly weight: number;
  /** 0 to 100. */
  readonly percent: number;
}

export function explainRequest({ bytes, service, sourceAddress }: AskedRequest, mesh: KnownMesh): RequestExplanation {
  const head = new RequestHead();
  const end = head.parse(bytes, 0, bytes.length);
  const nothing = nothingKnown(mesh.view);
  if (end < 0) return answered(nothing, refusalOf(end));
  const { limits } = mesh;
  if (limits !== undefined && limits.counts.requests >= limits.maxRequests) return answered(nothing, tooManyUnderWay);
  const authority = service ?? head.authority;
  const addressee = new Authorities(mesh.namespace).read(authority);
  if (addressee === undefined) return answered(nothing, noAuthority(authority));
  const { name, host, port } = addressee;
  const found = name === undefined ? undefined : mesh.view.service(name);
  if (found !== undefined) {
    const isLocalPort = service !== undefined;
    const listener = service ?? 'outbound';
    return explainService(head, { mesh, service: found, port, sourceAddress, isLocalPort, listener });
  }
  const isToProxy = service === undefined && (head.targetForm === 'absolute' || head.targetForm === 'authority');
  // As local ports say it: by the name that they were given.
  const said = service === undefined ? host : (name ?? host);
  return explainUnknown(said, name === undefined ? 'absent' : mesh.standingOf(name), {
    mesh,
    outside: isToProxy ? `${host}:${port ?? defaultHttpPort}` : undefined,
  });
}

/** `outside`: where it goes if it is no service of the mesh; undefined: nowhere. */
function explainUnknown(
  host: string,
  standing: Resolution | 'asked' | undefined,
  { mesh, outside }: { readonly mesh: KnownMesh; readonly outside: string | undefined },
): RequestExplanation {
  const nothing = nothingKnown(mesh.view);
  if (standing === undefined || standing === 'asked') {
    const seconds = defaultResolveTimeoutMs / 1_000;
    const then = standing === 'asked' ? 'the control plane has been asked' : 'the first request asks the control plane';
    const why = mesh.obstacle === '' ? '' : `: ${mesh.obstacle}`;
    const sentence = `"${host}" is not known to this agent yet: ${then}, and waits for the answer, ${seconds} s at most${why}`;
    return { ...nothing, outcome: 'unknown', sentence };
  }
  const lookup = lookupOf(standing, mesh.obstacle);
  if (outside === undefined) return answered(nothing, unknownService(host, lookup));
  const { sentence } = unknownService(host, lookup);
  return { ...nothing, outcome: 'outside', sentence: `${sentence}; passed on to ${outside}, as by an HTTP proxy` };
}

/** As `ServiceLookup` has it. */
function lookupOf(standing: Resolution, obstacle: string): NotFound {
  switch (standing) {
    case 'unusable':
      return { is: 'unavailable', detail: 'what the control plane sent for it cannot be used' };
    case 'unavailable':
      return { is: 'unavailable', detail: obstacle || 'the control plane has not answered' };
    default:
      return { is: 'absent' };
  }
}

interface Found {
  readonly mesh: KnownMesh;
  readonly service: ServiceView;
  readonly port: number | undefined;
  readonly sourceAddress: string;
  /** It comes to the local port of the service. */
  readonly isLocalPort: boolean;
  /** Where it comes, as the statistics call it. */
  readonly listener: string;
}

function explainService(
  head: RequestHead,
  { mesh, service, sourceAddress, isLocalPort, listener, ...said }: Found,
): RequestExplanation {
  const { view } = mesh;
  const port = said.port ?? service.defaultPort;
  const table = service.ports.get(port);
  const known = { ...nothingKnown(view), service: service.service, port };
  if (table === undefined) return answered(known, noSuchPort(service, port));
  const isConnection = isLocalPort && takesConnectionsAlone(view, table);
  const request: RouteRequest = isConnection ? anyConnection : head;
  const explanation = explain(table, request, head.authority);
  const { taken, passedOver } = explanation;
  if (taken === undefined) return answered({ ...known, passedOver }, noRuleTakes(table.name, head, head.target));
  const told = {
    ...known,
    ...ruleOf(explanation),
    notes: [...protocolNotes(view, table, { isLocalPort, isConnection }), ...workerNotes(mesh)],
  };
  const own = ownAnswer(head, table, request);
  if (own !== undefined) return answered(told, own);
  const cluster = clusterOf(view, taken.cluster);
  if (cluster.protocol === 'tcp' && !isConnection && head.method !== 'CONNECT') {
    return answered(told, takesConnections(service, port));
  }
  const limitOn = ({ load }: EndpointView) =>
    isConnection ? limitsOnConnection(cluster) : limitsOnRequest(cluster, mesh.poolOf(load, listener), mesh.limits);
  const hash = cluster.hashOf(request, sourceAddress);
  const { destination, obstacle } = explainDestination(cluster, hash, limitOn);
  if (obstacle !== undefined) return answered({ ...told, destination }, refusalBy(obstacle, cluster));
  const rule = taken.rule === '' ? `${service.service} has no Route` : `the rule ${taken.rule} takes it`;
  const sentence = `${rule}: it goes to ${cluster.title}, ${nextWords(destination)}`;
  return { ...told, outcome: 'forwarded', sentence, destination };
}

function ruleOf({ taken, passedOver }: Explanation) {
  return {
    passedOver,
    rule: taken?.rule || null,
    match: taken?.match ?? [],
    policy: taken?.policy ?? [],
    split: (taken?.split ?? []).map((share) => ({ target: clusterWords(share.cluster), ...share })),
    sticky: taken?.sticky === undefined ? null : stickyOf(taken.sticky),
  };
}

function stickyOf({ key, value, cluster }: StickyTarget) {
  return { key, value: value ?? null, target: cluster === undefined ? null : clusterWords(cluster) };
}

/** What the rule has the agent answer in any case. A fault that only meets some is told by its share. */
function ownAnswer(head: RequestHead, table: RouteTable, request: RouteRequest): Refusal | undefined {
  const route = table.find(request);
  if (route === undefined) return undefined;
  const { redirect, fault } = route.policy;
  if (redirect !== undefined) {
    const location = redirect.location({ scheme: 'http', host: head.authority, path: head.path, query: head.query });
    return { reason: 'redirect', sentence: `see ${location}`, status: redirect.status, location };
  }
  return (fault?.abort?.percent ?? 0) >= 100 ? abortOf(route.policy, route.rule) : undefined;
}

/** Why nobody takes it, though the rule would send it there. */
function refusalBy(obstacle: Obstacle, { title }: ClusterView): Refusal {
  if (obstacle.is === 'nobody') return noHealthyInstance({ title });
  return { reason: 'overflow', sentence: `${title}: ${obstacle.limit}` };
}

function takesConnectionsAlone(view: MeshView, { clusters }: RouteTable): boolean {
  return [...clusters].every((name) => clusterOf(view, name).protocol === 'tcp');
}

function protocolNotes(
  view: MeshView,
  table: RouteTable,
  { isLocalPort, isConnection }: { readonly isLocalPort: boolean; readonly isConnection: boolean },
): string[] {
  if (isConnection) {
    return ['the port is of protocol tcp: method, path and headers say nothing, each connection is routed as a whole'];
  }
  return isLocalPort && !speaksHttp(view, table)
    ? ['nobody has said what the port speaks: a connection that does not begin like HTTP is routed as a whole']
    : [];
}

function workerNotes({ workers }: KnownMesh): string[] {
  if (workers === 0) return [];
  return [
    `${workers} processes carry requests, each with splits, turns and counts of its own: which share takes it and who is next are a guess, and so are requests under way and ejections`,
  ];
}

function nothingKnown({ revision }: MeshView): RequestExplanation {
  return {
    outcome: 'answered',
    sentence: '',
    answer: null,
    revision,
    service: null,
    port: null,
    passedOver: [],
    rule: null,
    match: [],
    policy: [],
    split: [],
    sticky: null,
    destination: null,
    notes: [],
  };
}

function answered(known: RequestExplanation, refusal: Refusal): RequestExplanation {
  const { reason, sentence, location = null } = refusal;
  const status = statusOf(refusal);
  const by =
    reason === 'redirect' || reason === 'fault' ? `the rule ${known.rule} has it answered` : 'the agent answers';
  return {
    ...known,
    outcome: 'answered',
    sentence: `${by} with ${status} ${reason}: ${sentence}`,
    answer: { status, reason, sentence, location },
  };
}
