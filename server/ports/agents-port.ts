/** The agents and their rollouts as the REST API sees them. */
import type { AgentInfo, AgentsPort } from '../../dashboard-api/ports.ts';
import { MeshError } from '../../model/errors.ts';
import type { MessageType } from '../../proto/load.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import { Cluster, ClusterLoadAssignment, Listener, Name, RouteConfiguration } from '../../proto/types.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ControlPlane } from '../control-plane.ts';
import { resourceOf } from '../snapshot/service-snapshot.ts';
import type { SnapshotCache } from '../snapshot/snapshot-cache.ts';
import { type AgentRecord, type AgentState, agentState, conditionOf, isConnected } from '../status/agent-record.ts';
import { whyPending, whyRefused } from '../status/rollouts.ts';
import type { ToIso } from './registry-port.ts';

export function createAgentsPort(plane: ControlPlane, toIso: ToIso): AgentsPort {
  const { directory, rollouts } = plane;
  return {
    agents: () =>
      [...directory.records()].sort((a, b) => (a.key < b.key ? -1 : 1)).map((agent) => agentInfo(agent, toIso)),
    agent: (namespace, id) => {
      const found = find(plane, namespace, id);
      return found && agentInfo(found, toIso);
    },
    config: (namespace, id) => {
      const agent = find(plane, namespace, id);
      if (!agent) throw new MeshError('AGENT_NOT_FOUND', [id]);
      return configOf(agent, plane);
    },
    rollout: (revision) => rollouts.get(revision, directory.records()),
    waitFor: (revision, timeoutMs, signal) => rollouts.waitFor(revision, directory.records(), timeoutMs, signal),
  };
}

/** An agent by its id, or else a foreign client. */
function find({ directory }: ControlPlane, namespace: string, id: string): AgentRecord | undefined {
  const records = [...directory.records()];
  return directory.get(namespace, id) ?? records.find((agent) => agent.namespace === namespace && agent.id === id);
}

export function agentInfo(agent: AgentRecord, toIso: ToIso): AgentInfo {
  const state = agentState(agent);
  const { id, namespace, service, kind, touched, sent, applied, nack, names, version } = agent;
  return {
    id,
    namespace,
    service,
    kind,
    state,
    detail: detailOf(agent, state),
    connected: isConnected(agent),
    revision: { sent, applied },
    touched,
    nack: nack
      ? {
          revision: nack.revision,
          at: new Date(nack.atMs).toISOString(),
          message: nack.message,
          resources: nack.resources,
        }
      : null,
    names,
    version,
    lastSeen: toIso(agent.lastSeenMs),
  };
}

function detailOf(agent: AgentRecord, state: AgentState): string {
  if (state === 'current' || state === 'accepted') return conditionOf(agent).detail;
  return state === 'rejected' ? whyRefused(agent) : whyPending(agent);
}

/** What its stream was sent: type URL -> name -> version, and the content where it is still the newest. */
function configOf(agent: AgentRecord, plane: ControlPlane): unknown {
  const versions = plane.streamOf(agent)?.versions() ?? new Map<string, ReadonlyMap<string, string>>();
  const resources = [...versions].map(([typeUrl, names]) => [
    typeUrl,
    Object.fromEntries([...names].map(([name, version]) => [name, describe(typeUrl, name, version, plane.cache)])),
  ]);
  return { meshId: plane.cache.meshId, revision: agent.sent, resources: Object.fromEntries(resources) };
}

function describe(typeUrl: string, name: string, version: string, cache: SnapshotCache): unknown {
  const owner = typeUrl === typeUrls.name ? cache.service(cache.ownerOfName(name) ?? '') : undefined;
  const current = owner ? resourceOf(owner, typeUrl, name) : cache.resource(typeUrl, name);
  if (current?.version !== version) return { version };
  return { version, resource: toJson(current) };
}

function toJson({ typeUrl, bytes }: EncodedResource): unknown {
  const decode = <T>(type: MessageType<T>) => type.toJson(type.decode(bytes));
  switch (typeUrl) {
    case typeUrls.cluster:
      return decode(Cluster);
    case typeUrls.endpoint:
      return decode(ClusterLoadAssignment);
    case typeUrls.listener:
      return decode(Listener);
    case typeUrls.routeConfiguration:
      return decode(RouteConfiguration);
    default:
      return decode(Name);
  }
}
