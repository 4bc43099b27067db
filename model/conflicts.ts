/**
 * Faults that show only between resources: two that claim the same, or one that names what another does not have.
 * Pure: `sluice validate` asks it about the files, the server about everything that would be in force.
 */
import type { LocatedResource } from './document.ts';
import { aliasName, serviceKey } from './names.ts';
import { formatPath, type Path, type Problem } from './problem.ts';
import { type Resource, resourceKey } from './resource.ts';
import type { Backend, Mirror, Route } from './route.ts';
import { defaultPorts, type Service } from './service.ts';
import { httpPartsOf } from './tcp-rules.ts';
import { isHashPolicy, needsHashPolicy, type TrafficPolicy } from './traffic-policy.ts';

export interface Conflict {
  /** `resourceKey` of the resource to blame: of two with one claim the later in the given order. */
  readonly resource: string;
  readonly path: Path;
  /** Names every party. */
  readonly message: string;
  /** `resourceKey`s of the other parties. */
  readonly others: readonly string[];
}

/**
 * All conflicts in a complete set of resources, in the order of the resources to blame. Give what was in force before
 * first: then a new resource is blamed for its conflict with an old one.
 */
export function findConflicts(resources: readonly Resource[]): Conflict[] {
  const mesh = new Mesh(resources);
  return resources.flatMap((resource) => conflictsOf(resource, mesh));
}

function conflictsOf(resource: Resource, mesh: Mesh): Conflict[] {
  switch (resource.kind) {
    case 'Route':
      return routeConflicts(resource, mesh);
    case 'Service':
      return serviceConflicts(resource, mesh);
    case 'TrafficPolicy':
      return policyConflicts(resource, mesh);
  }
}

/** Conflicts as problems, each at the place of the resource to blame, or else of another party that was just written. */
export function conflictProblems(conflicts: readonly Conflict[], documents: readonly LocatedResource[]): Problem[] {
  const written = new Map(documents.map((document) => [resourceKey(document.resource), document]));
  return conflicts.map(({ resource, path, message, others }) => {
    const own = written.get(resource);
    if (own !== undefined) return { file: own.file, ...own.locate(path), path: formatPath(path), message };
    const other = others.map((key) => written.get(key)).find((document) => document !== undefined);
    const elsewhere = `${resource}: ${formatPath(path)}: ${message}`;
    if (other === undefined) return { path: '', message: elsewhere };
    const place: Path = ['metadata', 'name'];
    return { file: other.file, ...other.locate(place), path: formatPath(place), message: elsewhere };
  });
}

/** What is known of all services, and who has claimed what so far. */
class Mesh {
  readonly #services = new Map<string, Service>();
  /** Service keys that some resource is about, with the first such resource. */
  readonly #mentioned = new Map<string, string>();
  readonly #claims = new Map<string, string>();
  /** Policies of whole services, by service; of two the first. */
  readonly #policies = new Map<string, TrafficPolicy>();

  constructor(resources: readonly Resource[]) {
    for (const resource of resources) {
      if (resource.kind === 'Service') this.#services.set(keyOfService(resource), resource);
      if (resource.kind !== 'TrafficPolicy' || resource.spec.subset !== undefined) continue;
      const key = serviceKey(resource.metadata.namespace, resource.spec.service);
      if (!this.#policies.has(key)) this.#policies.set(key, resource);
    }
    for (const resource of resources) {
      for (const key of mentions(resource)) {
        if (!this.#mentioned.has(key)) this.#mentioned.set(key, resourceKey(resource));
      }
    }
    for (const [key, service] of this.#services) this.#mentioned.set(key, resourceKey(service));
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  policy(key: string): TrafficPolicy | undefined {
    return this.#policies.get(key);
  }

  ports(key: string): readonly string[] {
    return (this.#services.get(key)?.spec.ports ?? defaultPorts).map(({ name }) => name);
  }

  /** The resource that makes this the key of a service, if any. */
  mentionOf(key: string): string | undefined {
    return this.#mentioned.get(key);
  }

  /** Who claimed it before; the first to ask has it. */
  claim(claim: string, by: string): string | undefined {
    const before = this.#claims.get(claim);
    if (before === undefined) this.#claims.set(claim, by);
    return before;
  }
}

function keyOfService({ metadata }: Service): string {
  return serviceKey(metadata.namespace, metadata.name);
}

function mentions(resource: Resource): string[] {
  const key = (name: string) => serviceKey(resource.metadata.namespace, name);
  switch (resource.kind) {
    case 'Service':
      return [keyOfService(resource)];
    case 'TrafficPolicy':
      return [key(resource.spec.service)];
    case 'Route': {
      const targets = resource.spec.rules.flatMap(({ backends, mirror = [] }) => [...backends, ...mirror]);
      return [resource.spec.service, ...targets.flatMap(({ service = [] }) => service)].map(key);
    }
  }
}

function routeConflicts(route: Route, mesh: Mesh): Conflict[] {
  const own = resourceKey(route);
  const key = serviceKey(route.metadata.namespace, route.spec.service);
  const ports = mesh.ports(key);
  const document = mesh.service(key);
  const others = document === undefined ? [] : [resourceKey(document)];
  const path: Path = ['spec', 'port'];
  if (route.spec.port === undefined && ports.length > 1) {
    const message = `is missing: service "${key}" has the ports ${ports.join(', ')}; a Route is for one of them`;
    return [{ resource: own, path, message, others }];
  }
  const port = route.spec.port ?? ports[0] ?? '';
  const unknown = ports.includes(port)
    ? []
    : [{ resource: own, path, message: noSuchPort(key, port, ports, document), others }];
  const before = mesh.claim(`Route|${key}|${port}`, own);
  if (before === undefined) {
    return [...unknown, ...tcpConflicts(route, port, document), ...backendConflicts(route, port, mesh)];
  }
  const message = `${own} and ${before} both govern port "${port}" of service "${key}"; a port has one Route`;
  return [...unknown, { resource: own, path: ['spec', 'service'], message, others: [before] }];
}

function noSuchPort(key: string, port: string, ports: readonly string[], document: Service | undefined): string {
  const known =
    document === undefined
      ? `without a Service document it has the one port ${ports.join()}`
      : `${resourceKey(document)} declares ${ports.join(', ')}`;
  return `service "${key}" has no port "${port}"; ${known}`;
}

function tcpConflicts(route: Route, port: string, document: Service | undefined): Conflict[] {
  const isTcp = document?.spec.ports.some(({ name, protocol }) => name === port && protocol === 'tcp') === true;
  if (!isTcp) return [];
  const message = `is about HTTP, but ${resourceKey(document)} declares port "${port}" as tcp; its rules can only name backends`;
  const others = [resourceKey(document)];
  return httpPartsOf(route).map((path) => ({ resource: resourceKey(route), path, message, others }));
}

/** A backend's traffic goes to its port of the same name, or to its only port; with neither there is nowhere to go. */
function backendConflicts(route: Route, port: string, mesh: Mesh): Conflict[] {
  const { namespace } = route.metadata;
  const conflictOf = ({ service }: Backend | Mirror, path: Path): Conflict[] => {
    if (service === undefined) return [];
    const key = serviceKey(namespace, service);
    const ports = mesh.ports(key);
    const document = mesh.service(key);
    if (ports.length === 1 || ports.includes(port) || document === undefined) return [];
    const message = `service "${key}" has no port "${port}", and ${resourceKey(document)} declares several: ${ports.join(', ')}`;
    return [{ resource: resourceKey(route), path, message, others: [resourceKey(document)] }];
  };
  return route.spec.rules.flatMap(({ backends, mirror = [] }, rule) => [
    ...backends.flatMap((target, index) => conflictOf(target, ['spec', 'rules', rule, 'backends', index, 'service'])),
    ...mirror.flatMap((target, index) => conflictOf(target, ['spec', 'rules', rule, 'mirror', index, 'service'])),
  ]);
}

function policyConflicts(policy: TrafficPolicy, mesh: Mesh): Conflict[] {
  const { service, subset } = policy.spec;
  const own = resourceKey(policy);
  const key = serviceKey(policy.metadata.namespace, service);
  const before = mesh.claim(`TrafficPolicy|${key}|${subset ?? ''}`, own);
  if (before === undefined) return hashConflicts(policy, mesh);
  const target = subset === undefined ? `service "${key}"` : `subset "${subset}" of service "${key}"`;
  const message = `${own} and ${before} are both for ${target}; a target has one TrafficPolicy`;
  return [{ resource: own, path: ['spec', 'service'], message, others: [before] }];
}

/** A subset's policy may name the key and leave the choice of the load balancer to that of its service. */
function hashConflicts(policy: TrafficPolicy, mesh: Mesh): Conflict[] {
  const { metadata, spec } = policy;
  if (spec.hashOn === undefined || spec.loadBalancer !== undefined) return [];
  const whole = mesh.policy(serviceKey(metadata.namespace, spec.service));
  if (isHashPolicy(whole?.spec.loadBalancer?.policy)) return [];
  const said = whole === undefined ? '' : `, and ${resourceKey(whole)} names neither`;
  const others = whole === undefined ? [] : [resourceKey(whole)];
  return [{ resource: resourceKey(policy), path: ['spec', 'hashOn'], message: `${needsHashPolicy}${said}`, others }];
}

function serviceConflicts(service: Service, mesh: Mesh): Conflict[] {
  const own = resourceKey(service);
  const { namespace } = service.metadata;
  return service.spec.aliases.flatMap((alias, index) => {
    const name = aliasName(namespace, alias);
    const path: Path = ['spec', 'aliases', index];
    const mention = name === keyOfService(service) ? undefined : mesh.mentionOf(name);
    if (mention !== undefined) {
      const message = `alias "${alias}" of ${own} is the name of another service, see ${mention}`;
      return [{ resource: own, path, message, others: [mention] }];
    }
    const before = mesh.claim(`alias|${name}`, own);
    if (before === undefined) return [];
    const message =
      before === own
        ? `alias "${alias}" is the name "${name}", which ${own} has already`
        : `alias "${alias}" of ${own} is an alias of ${before} too; an alias means one service`;
    return [{ resource: own, path, message, others: before === own ? [] : [before] }];
  });
}
