/** What a change would do to the documents in force, and what speaks against it. Pure: nothing is written here. */
import { conflictProblems, findConflicts } from '../../model/conflicts.ts';
import type { LocatedResource } from '../../model/document.ts';
import { serviceKey } from '../../model/names.ts';
import { formatPath, type Path, type Problem, parsePath } from '../../model/problem.ts';
import { canonicalJson, type Resource, type ResourceId, resourceIdKey, resourceKey } from '../../model/resource.ts';
import type { ResourceChange } from '../../model/revision.ts';
import type { Backend, Mirror, Route } from '../../model/route.ts';
import { defaultPorts, type ServicePort } from '../../model/service.ts';
import { aliasFaults } from './alias-claims.ts';
import { aliasesOf, ownService, type RuleIndex, servicesOf } from './rule-index.ts';

/** What the rules must know of the rest of the mesh. */
export interface Surroundings {
  /** Of the mesh: `mesh.local`. */
  readonly domain: string;
  /** Whether the service has an instance with all these labels; a lost one counts. */
  hasInstance(service: string, labels: Readonly<Record<string, string>>): boolean;
  /** How many agents and clients hold the configuration of the service. */
  subscribers(service: string): number;
  /** What clients that hold the service could not do of its documents, if they stood like this. */
  clientProblems(service: string, documents: readonly Resource[]): readonly ClientProblem[];
}

/** Part of a document that a kind of client leaves out. */
export interface ClientProblem {
  /** "Route default/reviews". */
  readonly document: string;
  /** As `formatPath` writes it. */
  readonly path: string;
  readonly sentence: string;
  /** It is about more than its document: whoever changes any of the service is told. */
  readonly isOfService?: true;
}

export interface WantedChange {
  readonly put: readonly LocatedResource[];
  readonly remove: readonly ResourceId[];
  readonly prune?: Readonly<Record<string, string>>;
}

export interface PlannedChange {
  /** Sorted by key; empty when everything is so already. */
  readonly changes: readonly ResourceChange[];
  /** Why it must be refused. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /**
   * Likewise what clients cannot do. To be asked when the change is in force, or will not be: to find it out takes as long as to
   * compile the services, for which nobody need wait.
   */
  readonly clientWarnings: () => readonly Problem[];
}

/**
 * `isRollback`: what was accepted once is accepted again, also when rules named a service that had no document then. It
 * is only warned of backends that have no instance any more.
 */
export function planChange(
  wanted: WantedChange,
  rules: RuleIndex,
  surroundings: Surroundings,
  isRollback: boolean,
): PlannedChange {
  const changes = findChanges(wanted, rules);
  const merged = merge(rules, wanted, changes);
  // What a rollback brings back was written long ago: its faults have no place in a file.
  const documents = isRollback ? [] : wanted.put;
  const written = new Map(documents.map((located) => [resourceKey(located.resource), located]));
  const empty = changes.flatMap(({ after }) =>
    after?.kind === 'Route' ? emptyTargets(after, written.get(resourceKey(after)), merged, surroundings) : [],
  );
  const refuses = ({ isAllowed }: Judged) => !isRollback && !isAllowed;
  const judged = [...empty, ...misleadingAliases(changes, { written, merged, surroundings })];
  return {
    changes,
    problems: [
      ...conflictProblems(findConflicts(merged), documents),
      ...(isRollback ? [] : stillNamed(changes, merged)),
      ...judged.filter(refuses).map(({ problem }) => problem),
    ],
    warnings: [
      ...judged.filter((item) => !refuses(item)).map(({ problem }) => problem),
      ...removedPorts(changes, written, surroundings),
    ],
    clientWarnings: () => clientProblems(changes, written, merged, surroundings),
  };
}

function findChanges({ put, remove, prune }: WantedChange, rules: RuleIndex): ResourceChange[] {
  const changes = new Map<string, ResourceChange>();
  const idOf = ({ kind, metadata }: Resource) => ({ kind, namespace: metadata.namespace, name: metadata.name });
  for (const { resource } of put) {
    const before = rules.get(idOf(resource))?.resource ?? null;
    if (before && canonicalJson(before) === canonicalJson(resource)) continue;
    const action = before ? 'updated' : 'created';
    changes.set(resourceKey(resource), { ...idOf(resource), action, before, after: resource });
  }
  const pruned = prune ? pruneTargets(prune, put, rules) : [];
  for (const id of [...remove, ...pruned]) {
    const before = rules.get(id)?.resource;
    if (before) changes.set(resourceIdKey(id), { ...idOf(before), action: 'deleted', before, after: null });
  }
  return [...changes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, change]) => change);
}

function pruneTargets(
  selector: Readonly<Record<string, string>>,
  put: readonly LocatedResource[],
  rules: RuleIndex,
): ResourceId[] {
  const kept = new Set(put.map(({ resource }) => resourceKey(resource)));
  return [...rules.all()]
    .map(({ resource }) => resource)
    .filter((resource) => !kept.has(resourceKey(resource)) && matches(resource.metadata.labels, selector))
    .map(({ kind, metadata }) => ({ kind, namespace: metadata.namespace, name: metadata.name }));
}

/** Whether all of `wanted` stand in `labels`. */
export function matches(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/**
 * The documents as they would stand, as far as the changes can have to do with them: of two that conflict the new one gets the
 * blame, of two new ones the later.
 */
function merge(rules: RuleIndex, { put }: WantedChange, changes: readonly ResourceChange[]): Resource[] {
  const changed = new Set(changes.map(resourceIdKey));
  const added = new Set(changes.map(({ after }) => after));
  const kept = neighboursOf(changes, rules).filter((item) => !changed.has(resourceKey(item)));
  return [...kept, ...put.map(({ resource }) => resource).filter((resource) => added.has(resource))];
}

/**
 * What a change can contradict: whatever speaks of the same services, or has one of their names for an alias; and the Services
 * that these speak of, which say what ports there are. In a mesh of thousands of services that is a handful of documents.
 */
function neighboursOf(changes: readonly ResourceChange[], rules: RuleIndex): Resource[] {
  const documents = changes.flatMap(({ before, after }) => [...(before ? [before] : []), ...(after ? [after] : [])]);
  const names = new Set(documents.flatMap((document) => [...servicesOf(document), ...aliasesIn(document)]));
  const near = new Set([...names].flatMap((name) => [...rules.about(name), ...rules.withAlias(name)]));
  const spoken = new Set([...near, ...documents].flatMap(servicesOf));
  for (const key of spoken) {
    const service = rules.service(key);
    if (service) near.add(service);
  }
  return [...near];
}

function aliasesIn(resource: Resource): string[] {
  return resource.kind === 'Service' ? aliasesOf(resource) : [];
}

function stillNamed(changes: readonly ResourceChange[], merged: readonly Resource[]): Problem[] {
  const deleted = changes.filter(({ kind, after }) => kind === 'Service' && after === null);
  return deleted.flatMap(({ namespace, name }) => {
    const key = serviceKey(namespace, name);
    const users = merged.filter((resource) => resource.kind !== 'Service' && servicesOf(resource).includes(key));
    if (users.length === 0) return [];
    const message = `service "${key}" cannot be deleted: ${users.map(resourceKey).join(', ')} still name it; delete or change these first`;
    return [{ path: `Service/${namespace}/${name}`, message }];
  });
}

/** A problem, and whether it is only warned of. */
interface Judged {
  readonly problem: Problem;
  readonly isAllowed: boolean;
}

interface ChangedRules {
  readonly written: ReadonlyMap<string, LocatedResource>;
  readonly merged: readonly Resource[];
  readonly surroundings: Surroundings;
}

/** Aliases that would take a name from somebody else, or lose to him. What documents say of it is a conflict already. */
function misleadingAliases(
  changes: readonly ResourceChange[],
  { written, merged, surroundings }: ChangedRules,
): Judged[] {
  const named = new Set(merged.flatMap(servicesOf));
  const names = {
    domain: surroundings.domain,
    hasInstances: (service: string) => !named.has(service) && surroundings.hasInstance(service, {}),
  };
  return changes.flatMap(({ before, after }) => {
    if (after?.kind !== 'Service') return [];
    const key = resourceKey(after);
    return aliasFaults(before, after, names).map(({ path, message, isAllowed }) => ({
      problem: problemAt(written.get(key), path, message, key),
      isAllowed,
    }));
  });
}

/** Backends and mirrors that have a share and no instance. Nobody waits for the answer to a copy: these only warn. */
function emptyTargets(
  route: Route,
  located: LocatedResource | undefined,
  merged: readonly Resource[],
  surroundings: Surroundings,
): Judged[] {
  const services = new Map(merged.map((resource) => [ownService(resource), resource] as const).filter(isService));
  const emptyOf = ({ service = route.spec.service, subset }: Backend | Mirror): string | undefined => {
    const key = serviceKey(route.metadata.namespace, service);
    const declared = services.get(key)?.spec.subsets.find(({ name }) => name === subset);
    const labels = subset === undefined ? {} : (declared?.labels ?? { version: subset });
    if (surroundings.hasInstance(key, labels)) return undefined;
    return subset === undefined ? `service "${key}"` : `subset "${subset}" of service "${key}"`;
  };
  const targetOf = (path: Path, message: string, isAllowed: boolean): Judged => ({
    problem: problemAt(located, path, message, resourceKey(route)),
    isAllowed,
  });
  const { allowEmpty } = route.spec;
  const remedy = allowEmpty ? '' : '; start one first, or set spec.allowEmpty: true';
  return route.spec.rules.flatMap(({ backends, mirror = [] }, rule) => [
    ...backends.flatMap((backend, index) => {
      const what = backend.weight === 0 ? undefined : emptyOf(backend);
      if (what === undefined) return [];
      const message = `${what} has no instance, its requests would fail${remedy}`;
      return [targetOf(['spec', 'rules', rule, 'backends', index], message, allowEmpty)];
    }),
    ...mirror.flatMap((target, index) => {
      const what = target.percent === 0 ? undefined : emptyOf(target);
      if (what === undefined) return [];
      return [
        targetOf(['spec', 'rules', rule, 'mirror', index], `${what} has no instance, its copies go nowhere`, true),
      ];
    }),
  ]);
}

function isService(
  entry: readonly [string, Resource],
): entry is readonly [string, Extract<Resource, { kind: 'Service' }>] {
  return entry[1].kind === 'Service';
}

/** A port that callers may be using is kept on the wire until nobody does; but an Envoy has all ports, and keeps none. */
function removedPorts(
  changes: readonly ResourceChange[],
  written: ReadonlyMap<string, LocatedResource>,
  surroundings: Surroundings,
): Problem[] {
  return changes.flatMap(({ kind, namespace, name, before, after }) => {
    if (kind !== 'Service') return [];
    const kept = portsOf(after).map(({ port }) => port);
    const removed = portsOf(before).filter(({ port }) => !kept.includes(port));
    const subscribers = removed.length === 0 ? 0 : surroundings.subscribers(serviceKey(namespace, name));
    if (subscribers === 0) return [];
    const key = resourceIdKey({ kind, namespace, name });
    const users = `${subscribers} client${subscribers === 1 ? '' : 's'}`;
    return removed.map(({ name, port }) =>
      problemAt(
        written.get(key),
        ['spec', 'ports'],
        `port ${port} ("${name}") is removed while ${users} may be using it; it is kept as long as agents or gRPC clients ask for the service`,
        key,
      ),
    );
  });
}

/** Of the documents that change, and not of what stood there before. */
function clientProblems(
  changes: readonly ResourceChange[],
  written: ReadonlyMap<string, LocatedResource>,
  merged: readonly Resource[],
  surroundings: Surroundings,
): Problem[] {
  const changed = new Map(
    changes.flatMap(({ after }) => {
      const name = after && `${after.kind} ${after.metadata.namespace}/${after.metadata.name}`;
      return name ? [[name, after] as const] : [];
    }),
  );
  const services = new Map([...changed.values()].map((after) => [ownService(after), [] as Resource[]]));
  for (const resource of merged) services.get(ownService(resource))?.push(resource);
  return [...services].flatMap(([service, documents]) =>
    surroundings.clientProblems(service, documents).flatMap(({ document, path, sentence, isOfService }) => {
      const first = isOfService && documents.find((each) => [...changed.values()].includes(each));
      const after = changed.get(document) ?? (first || undefined);
      if (after === undefined) return [];
      const key = resourceKey(after);
      return [problemAt(written.get(key), parsePath(path), sentence, key)];
    }),
  );
}

function portsOf(service: Resource | null): readonly ServicePort[] {
  return service?.kind === 'Service' ? service.spec.ports : defaultPorts;
}

function problemAt(located: LocatedResource | undefined, path: Path, message: string, key: string): Problem {
  if (!located) return { path: `${key}: ${formatPath(path)}`, message };
  return { file: located.file, ...located.locate(path), path: formatPath(path), message };
}
