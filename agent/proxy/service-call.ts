/** One request to a service of the mesh: the rule that takes it, the cluster that the rule chooses, and on to an instance. */
import type { Random } from '../../process/clock.ts';
import type { RouteRequest } from '../../routing/request.ts';
import type { RouteDecision, RouteTable } from '../../routing/route-table.ts';
import type { Exchange } from '../http1/http-server.ts';
import { fieldValue } from '../http1/message.ts';
import type { ClusterView, EndpointView } from '../view/cluster-view.ts';
import { instanceHeader } from '../view/instance-identity.ts';
import type { MeshView, ServiceView } from '../view/mesh-view.ts';
import { type ForwardContext, forward, type Plan } from './forward.ts';
import { type Ending, refuse } from './local-answer.ts';
import { outgoingHead, type RequestTarget } from './request-target.ts';
import type { RequestRecord } from './statistics.ts';

export interface ServiceCall {
  readonly exchange: Exchange;
  readonly record: RequestRecord;
  /** The one that the service was found in; everything about this request is decided by it. */
  readonly view: MeshView;
  readonly service: ServiceView;
  /** Undefined: the first. */
  readonly port: number | undefined;
  readonly target: RequestTarget;
}

export interface CallContext extends ForwardContext {
  readonly random: Random;
}

export async function callService(call: ServiceCall, context: CallContext): Promise<Ending> {
  const { exchange, record, view, service, port = service.defaultPort } = call;
  const table = service.ports.get(port);
  if (table === undefined) {
    const ports = [...service.ports.keys()].join(', ');
    return refuse(exchange, { reason: 'no-route', sentence: `${service.name} has no port ${port}; it has ${ports}` });
  }
  const decision = decide(table, call, context.random);
  if (decision === undefined) {
    const { method } = exchange.head;
    return refuse(exchange, {
      reason: 'no-route',
      sentence: `no rule of ${table.name} takes ${method} ${call.target.path}`,
    });
  }
  const cluster = view.clusters.get(decision.cluster);
  // The view was refused if a table named a cluster that is missing.
  if (cluster === undefined) throw new Error(`${table.name} names ${decision.cluster}, which is not in the view`);
  record.sentTo(cluster.name);
  return forward(exchange, createPlan(call, { decision, cluster, random: context.random }), context);
}

function decide(table: RouteTable, { exchange: { head }, target: { path } }: ServiceCall, random: Random) {
  const question = path.indexOf('?');
  const request: RouteRequest = {
    method: head.method,
    path: question === -1 ? path : path.slice(0, question),
    query: question === -1 ? '' : path.slice(question + 1),
    header: (name) => fieldValue(head.fields, name),
  };
  return table.route(request, random);
}

interface Decided {
  readonly decision: RouteDecision;
  readonly cluster: ClusterView;
  readonly random: Random;
}

function createPlan({ exchange, target }: ServiceCall, { decision, cluster, random }: Decided): Plan<EndpointView> {
  const { setCookie, policy } = decision;
  const head = outgoingHead(exchange.head, target);
  return {
    nextTarget: (tried) => cluster.balancer.pick(tried, random, undefined),
    headFor: ({ identity }) =>
      identity === '' ? head : { ...head, fields: [...head.fields, instanceHeader, identity] },
    answerFields: (fields) => (setCookie === undefined ? fields : [...fields, 'set-cookie', setCookie]),
    connectTimeoutMs: cluster.connectTimeoutMs,
    timeoutMs: policy.timeoutMs,
    upstream: cluster.name,
  };
}
