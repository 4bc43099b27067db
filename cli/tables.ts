/** What a person wants to see of each kind of thing: the columns of `get`, `instances`, `agents` and `history`. */
import type { z } from 'zod';
import type {
  agentAnswer,
  clusterLoadAnswer,
  instanceAnswer,
  revisionAnswer,
  serviceAnswer,
  storedAnswer,
} from '../dashboard-api/answers.ts';
import type { Resource } from '../model/resource.ts';
import type { Rule } from '../model/route.ts';
import type { Screen } from './context.ts';
import { state, table } from './render.ts';

export type Agent = z.output<typeof agentAnswer>;
export type ClusterLoad = z.output<typeof clusterLoadAnswer>;
export type Instance = z.output<typeof instanceAnswer>;
export type Revision = z.output<typeof revisionAnswer>;
export type Service = z.output<typeof serviceAnswer>;
export type Stored = z.output<typeof storedAnswer>;

export function servicesTable(out: Screen, services: readonly Service[]): string {
  const rows = services.map(({ namespace, name, ports, virtualIps, instances, declared, revision }) => [
    name,
    namespace,
    ports.map((port) => `${port.name}:${port.port}`).join(' '),
    virtualIps.join(' '),
    Object.entries(instances)
      .filter(([, number]) => number > 0)
      .map(([word, number]) => `${number} ${word}`)
      .join(', '),
    declared ? String(revision) : '',
  ]);
  return table(out, ['NAME', 'NAMESPACE', 'PORTS', 'VIRTUAL IP', 'INSTANCES', 'REVISION'], rows);
}

export function documentsTable(out: Screen, stored: readonly Stored[]): string {
  const isPolicy = stored.some(({ resource }) => resource.kind === 'TrafficPolicy');
  const rows = stored.map(({ resource, revision }) => [
    resource.metadata.name,
    resource.metadata.namespace,
    resource.kind === 'Service' ? resource.metadata.name : targetOf(resource.spec),
    contents(resource),
    String(revision),
  ]);
  return table(out, ['NAME', 'NAMESPACE', 'SERVICE', isPolicy ? 'SETS' : 'RULES', 'REVISION'], rows);
}

function targetOf(spec: { service: string; port?: string; subset?: string }): string {
  if (spec.port !== undefined) return `${spec.service}:${spec.port}`;
  return spec.subset === undefined ? spec.service : `${spec.service} ${spec.subset}`;
}

function contents(resource: Resource): string {
  switch (resource.kind) {
    case 'Route':
      return resource.spec.rules.map(ruleText).join('; ');
    case 'Service':
      return resource.spec.ports.map(({ name, port, protocol }) => `${name}:${port} ${protocol}`).join('; ');
    case 'TrafficPolicy':
      return Object.keys(resource.spec)
        .filter((field) => field !== 'service' && field !== 'subset')
        .join(', ');
  }
}

/** `beta-users: v2`, `canary: v1 90, v2 10`. */
function ruleText(rule: Rule): string {
  const name = rule.name === undefined ? '' : `${rule.name}: `;
  if (rule.redirect !== undefined) return `${name}redirect ${rule.redirect.status}`;
  const targets = rule.backends.map(({ service, subset, weight }) => {
    const target = [service, subset].filter((part) => part !== undefined).join(' ') || 'all';
    return rule.backends.length === 1 ? target : `${target} ${weight}`;
  });
  return name + targets.join(', ');
}

export function instancesTable(out: Screen, instances: readonly Instance[]): string {
  const rows = instances.map(({ id, address, port, ports = {}, state: word, labels, zone, source, lastSeen }) => [
    id,
    address,
    port === null
      ? Object.entries(ports)
          .map((entry) => entry.join(':'))
          .join(' ')
      : String(port),
    state(word),
    Object.entries(labels)
      .map((entry) => entry.join('='))
      .join(','),
    zone,
    source,
    lastSeen,
  ]);
  return table(out, ['ID', 'ADDRESS', 'PORT', 'STATE', 'LABELS', 'ZONE', 'SOURCE', 'LAST SEEN'], rows);
}

export function agentsTable(out: Screen, agents: readonly Agent[]): string {
  const rows = agents.map((agent) => [
    agent.id,
    agent.namespace,
    agent.service,
    state(agent.state),
    String(agent.revision.sent),
    String(agent.revision.applied),
    agent.kind === 'agent' ? agent.version : agent.kind,
    detailOf(agent),
  ]);
  return table(out, ['ID', 'NAMESPACE', 'SERVICE', 'STATE', 'SENT', 'APPLIED', 'VERSION', 'DETAIL'], rows);
}

export function detailOf({ detail, nack }: Agent): string {
  return nack === null ? detail : `refuses revision ${nack.revision}: ${nack.message}`;
}

export function loadTable(out: Screen, loads: readonly ClusterLoad[]): string {
  const rows = loads.map(({ cluster, service, namespace, port, subset, clients, inProgress, localities, ...load }) => [
    // Of another mesh there is the name of the cluster alone.
    ...(service === '' ? [cluster, '', '', ''] : [service, namespace, port, subset]),
    ...[load.requestsPerSecond, load.errorsPerSecond, load.droppedPerSecond, inProgress, clients].map(String),
    localities
      .map(({ region, zone, subZone, requestsPerSecond }) => {
        const place = [region, zone, subZone].filter((part) => part !== '').join('/');
        return place === '' ? '' : `${place}:${requestsPerSecond}`;
      })
      .filter((text) => text !== '')
      .join(' '),
  ]);
  const rates = ['REQUESTS/S', 'ERRORS/S', 'DROPPED/S', 'IN PROGRESS', 'CLIENTS', 'BY LOCALITY'];
  return table(out, ['SERVICE', 'NAMESPACE', 'PORT', 'SUBSET', ...rates], rows);
}

export function revisionsTable(out: Screen, revisions: readonly Revision[]): string {
  const rows = revisions.map(({ revision, at, by, message, changes }) => [
    String(revision),
    at,
    by,
    changes.map(({ kind, name, action }) => `${signs[action]}${kind}/${name}`).join(' '),
    message,
  ]);
  return table(out, ['REVISION', 'AT', 'BY', 'CHANGES', 'MESSAGE'], rows);
}

const signs = { created: '+', updated: '~', deleted: '-' } as const;
