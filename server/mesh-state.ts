/** The state that is compiled, read where it lives: rules, registry, and who holds what. Nothing is kept here. */
import { parseServiceKey, serviceKey } from '../model/names.ts';
import { typeUrls } from '../proto/type-urls.ts';
import { inboundListenerName } from './compile/compile.ts';
import type { Registry } from './registry/registry.ts';
import type { VirtualIps } from './registry/virtual-ips.ts';
import { matches } from './rules/plan-change.ts';
import type { RuleBook } from './rules/rule-book.ts';
import type { RuleIndex } from './rules/rule-index.ts';
import type { MeshState } from './snapshot/rebuild-loop.ts';
import { resourcesOf, type ServiceSnapshot } from './snapshot/service-snapshot.ts';
import type { SnapshotCache, SnapshotChange } from './snapshot/snapshot-cache.ts';
import type { AgentDirectory } from './status/agent-directory.ts';
import type { AgentRecord } from './status/agent-record.ts';

export interface Parts {
  readonly rules: RuleBook;
  readonly registry: Registry;
  readonly virtualIps: VirtualIps;
  readonly directory: AgentDirectory;
  readonly cache: SnapshotCache;
  /** How many streams hold the service. */
  readonly streamsHolding: (service: string) => number;
  /** How many of them do so of their own accord, and not because they have everything. */
  readonly streamsAskingFor: (service: string) => number;
  readonly domain: string;
}

export function createMeshState(parts: Parts): MeshState {
  const { rules, registry, virtualIps } = parts;
  return {
    ...stateOfRules(() => rules.index),
    virtualIps: (key) => virtualIps.of(key),
    instances: (key) => registry.instances(key).map(({ record }) => record),
    isHeld: (key) => countHolders(key, { ...parts, streamsHolding: parts.streamsAskingFor }) > 0,
  };
}

/** As much of it as the rules say by themselves. `rules`: those in force when they are asked for. */
export function stateOfRules(rules: () => RuleIndex): Omit<MeshState, 'virtualIps' | 'instances' | 'isHeld'> {
  return {
    service: (key) => rules().service(key),
    ports: (key) => rules().ports(key),
    routes: (key) => rules().routes(key),
    policies: (key) => rules().policies(key),
    namedSubsets: (key) => rules().namedSubsets(key),
    isNamed: (key) => rules().isNamed(key),
    isAlias: (key) => rules().aliasOwner(key) !== undefined,
  };
}

/** Streams that hold the service, and agents that are away and will ask for it again. */
export function countHolders(service: string, parts: Pick<Parts, 'directory' | 'streamsHolding' | 'domain'>): number {
  const away = [...parts.directory.absent].filter(({ names }) =>
    names.some((name) => serviceOfName(name, parts.domain) === service),
  );
  return parts.streamsHolding(service) + away.length;
}

/** Whether an instance of the service has all these labels. One that is lost counts as present. */
export function hasInstance(
  service: string,
  labels: Readonly<Record<string, string>>,
  { registry }: Pick<Parts, 'registry'>,
): boolean {
  return registry.instances(service).some(({ record }) => matches(record.labels, labels));
}

/** Every service that anything is known of: from rules, instances, and the names that agents ask for. */
export function knownServices({ rules, registry, directory, domain }: Parts): Set<string> {
  const asked = [...directory.records()].flatMap(({ names }) => names.map((name) => serviceOfName(name, domain)));
  return new Set([...rules.index.services(), ...registry.services(), ...asked.filter((key) => key !== '')]);
}

/**
 * The agents that are away and hold something that a change of the rules gives another form: what their names stand
 * for, where that sends to, or their own inbound side.
 */
export function absentAgentsConcernedBy(
  { services }: SnapshotChange,
  { directory, registry, cache }: Pick<Parts, 'directory' | 'registry' | 'cache'>,
): AgentRecord[] {
  const all = new Set(services.flatMap(({ changed }) => changed.map(join)));
  const isChanged = (typeUrl: string, name: string) => all.has(join([typeUrl, name]));
  const isServiceChanged = (snapshot: ServiceSnapshot | undefined) =>
    resourcesOf(snapshot, typeUrls.routeConfiguration).some(({ typeUrl, name }) => isChanged(typeUrl, name)) ||
    snapshot?.references.some((cluster) => isChanged(typeUrls.cluster, cluster));
  return [...directory.absent].filter(
    ({ id, namespace, service, names, asked }) =>
      [...names, ...asked].some(
        (name) => isChanged(typeUrls.name, name) || isServiceChanged(cache.service(cache.ownerOfName(name) ?? '')),
      ) ||
      (isChanged(typeUrls.listener, inboundListenerName(serviceKey(namespace, service))) &&
        registry.instance({ namespace, service, id }) !== undefined),
  );
}

function join([typeUrl, name]: readonly [string, string]): string {
  return `${typeUrl} ${name}`;
}

/** "reviews.default" of "reviews.default.mesh.local"; '' of an alias, which only a document can give a meaning. */
function serviceOfName(name: string, domain: string): string {
  const key = name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : name;
  return parseServiceKey(key) ? key : '';
}
