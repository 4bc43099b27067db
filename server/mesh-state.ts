/** The state that is compiled, read where it lives: rules, registry, and who holds what. Nothing is kept here. */
import { parseServiceKey } from '../model/names.ts';
import { typeUrls } from '../proto/type-urls.ts';
import type { Registry } from './registry/registry.ts';
import { matches } from './rules/plan-change.ts';
import type { RuleBook } from './rules/rule-book.ts';
import type { MeshState } from './snapshot/rebuild-loop.ts';
import type { SnapshotCache } from './snapshot/snapshot-cache.ts';
import { ownerOf } from './snapshot/snapshot-cache.ts';
import type { AgentDirectory } from './status/agent-directory.ts';
import { type AgentRecord, isConnected } from './status/agent-record.ts';

export interface Parts {
  readonly rules: RuleBook;
  readonly registry: Registry;
  readonly directory: AgentDirectory;
  readonly cache: SnapshotCache;
  /** How many streams hold the service. */
  readonly streamsHolding: (service: string) => number;
  readonly domain: string;
}

export function createMeshState(parts: Parts): MeshState {
  const { rules, registry } = parts;
  return {
    service: (key) => rules.index.service(key),
    ports: (key) => rules.index.ports(key),
    routes: (key) => rules.index.routes(key),
    policies: (key) => rules.index.policies(key),
    namedSubsets: (key) => rules.index.namedSubsets(key),
    isNamed: (key) => rules.index.isNamed(key),
    instances: (key) => registry.instances(key).map(({ record }) => record),
    isHeld: (key) => countHolders(key, parts) > 0,
  };
}

/** Streams that hold the service, and agents that are away and will ask for it again. */
export function countHolders(service: string, parts: Pick<Parts, 'directory' | 'streamsHolding' | 'domain'>): number {
  const away = absentAgents(parts.directory).filter(({ names }) =>
    names.some((name) => serviceOfName(name, parts.domain) === service),
  );
  return parts.streamsHolding(service) + away.length;
}

/** Agents without a stream whose lease lives. */
export function absentAgents(directory: AgentDirectory): AgentRecord[] {
  return [...directory.records()].filter((agent) => !isConnected(agent));
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

/** The services that an agent which is away will need when it comes back: those of its names, and where these send to. */
export function servicesNeededBy({ names }: AgentRecord, { cache }: Pick<Parts, 'cache'>): Set<string> {
  const own = names.flatMap((name) => cache.ownerOfName(name) ?? []);
  const targets = own.flatMap((key) => cache.service(key)?.references ?? []);
  return new Set([...own, ...targets.map((cluster) => ownerOf(typeUrls.cluster, cluster))]);
}

/** "reviews.default" of "reviews.default.mesh.local"; '' of an alias, which only a document can give a meaning. */
function serviceOfName(name: string, domain: string): string {
  const key = name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : name;
  return parseServiceKey(key) ? key : '';
}
