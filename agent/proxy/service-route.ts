/** A request for a service of the mesh: from its head to the rule that takes it and the cluster that the rule chooses. */
import type { Clock, Random } from '../../process/clock.ts';
import type { FaultPolicy } from '../../routing/fault-policy.ts';
import { type Mirror, plainPolicy } from '../../routing/route-policy.ts';
import type { RouteDecision, RouteTable } from '../../routing/route-table.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { ClusterView } from '../view/cluster-view.ts';
import type { MeshView, ServiceView } from '../view/mesh-view.ts';
import { anyConnection, type ConnectionTurn } from './connection-route.ts';
import type { Exchange } from './exchange.ts';
import type { Protocol } from './listener.ts';
import { abortOf, noRuleTakes, noSuchPort, takesConnections } from './route-refusals.ts';

export interface FoundService {
  /** The view that the service was found in; everything about a request is decided by one view. */
  readonly view: MeshView;
  readonly service: ServiceView;
  /** Undefined: the service's first. */
  readonly port: number | undefined;
}

export interface RouteContext {
  readonly clock: Clock;
  readonly random: Random;
}

/** Where a connection goes whose port is of protocol `tcp`, or says nothing; `http`: its requests find their own way. */
export function routeConnection({ view, service, port }: FoundService, { random }: RouteContext): Protocol {
  const table = service.ports.get(port ?? service.defaultPort);
  if (table === undefined) return 'http';
  if (speaksHttp(view, table)) return 'http';
  const choice = table.find(anyConnection)?.choice;
  const next = choice?.clusters[choice.split.peek()];
  if (next === undefined) return 'http';
  const guess = clusterOf(view, next);
  return {
    isDeclared: guess.protocol === 'tcp',
    service: { name: service.service, revision: view.revision },
    guess: { destination: guess, idleTimeoutMs: guess.tcpIdleTimeoutMs, decision: undefined },
    take(): ConnectionTurn {
      const decision = table.route(anyConnection, random);
      const destination = decision === undefined ? guess : clusterOf(view, decision.cluster);
      return { destination, idleTimeoutMs: destination.tcpIdleTimeoutMs, decision };
    },
  };
}

/** One target that does is enough: then no connection is as good as another. */
export function speaksHttp(view: MeshView, { clusters }: RouteTable): boolean {
  return [...clusters].some((name) => clusterOf(view, name).protocol === 'http');
}

export function routeToService(
  head: RequestHead,
  exchange: Exchange,
  found: FoundService,
  context: RouteContext,
): void {
  const { view, service } = found;
  exchange.facts.service = service.service;
  exchange.facts.revision = view.revision;
  const port = found.port ?? service.defaultPort;
  const table = service.ports.get(port);
  if (table === undefined) return exchange.refuse(noSuchPort(service, port));
  const decision = table.route(head, context.random);
  if (decision === undefined) return exchange.refuse(noRuleTakes(table.name, head, head.target));
  exchange.follow(decision);
  const cluster = decision.cluster === '' ? undefined : clusterOf(view, decision.cluster);
  if (cluster?.protocol === 'tcp' && head.method !== 'CONNECT') {
    return exchange.refuse(takesConnections(service, port));
  }
  if (decision.policy === plainPolicy && cluster !== undefined) return exchange.forward(head, cluster);
  carryOut(head, exchange, { view, decision }, context);
}

interface Decided {
  readonly view: MeshView;
  readonly decision: RouteDecision;
}

/** What the rule says besides where the request goes: redirect; else delay, abort, mirrors, in this order. */
function carryOut(head: RequestHead, exchange: Exchange, { view, decision }: Decided, context: RouteContext): void {
  const { redirect, fault, mirrors, responseHeaders: changes } = decision.policy;
  if (redirect !== undefined) {
    const location = redirect.location({ scheme: 'http', host: head.authority, path: head.path, query: head.query });
    const { status } = redirect;
    return exchange.refuse({ reason: 'redirect', sentence: `see ${location}`, status, location, changes });
  }
  const goOn = (again: RequestHead): void => {
    if (isAborted(fault, context.random)) return exchange.refuse(abortOf(decision.policy, decision.rule));
    const copies = mirrors.length === 0 ? undefined : mirrorsOf(view, mirrors, context.random);
    exchange.forward(again, clusterOf(view, decision.cluster), copies);
  };
  const delay = fault?.delay;
  if (delay === undefined || !happens(delay.percent, context.random)) return goOn(head);
  let callOff = () => {};
  const until = new Promise<void>((resolve) => {
    callOff = context.clock.after(delay.ms, resolve);
  });
  exchange.suspend(head, { until, callOff }, (_, again) => goOn(again));
}

function isAborted(fault: FaultPolicy | undefined, random: Random): boolean {
  return fault?.abort !== undefined && happens(fault.abort.percent, random);
}

function mirrorsOf(view: MeshView, mirrors: readonly Mirror[], random: Random): readonly ClusterView[] {
  return mirrors.filter(({ percent }) => happens(percent, random)).map(({ cluster }) => clusterOf(view, cluster));
}

function happens(percent: number, random: Random): boolean {
  return percent >= 100 || random() * 100 < percent;
}

export function clusterOf(view: MeshView, name: string): ClusterView {
  const cluster = view.clusters.get(name);
  // The view was refused if a table named a cluster that is missing.
  if (cluster === undefined) throw new Error(`the view has no cluster ${name}`);
  return cluster;
}
