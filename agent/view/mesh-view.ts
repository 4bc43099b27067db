/**
 * What the agent routes by: the resources of one commit mark, prepared for requests. A view is made before it is swapped
 * in and never changes; it is either whole or refused, resource by resource, with reasons. What did not change since the
 * previous view is taken over from it, so only what changed is prepared; but a swap looks at everything that is held.
 */
import { isIP } from 'node:net';
import { fromStruct } from '../../proto/struct.ts';
import * as xds from '../../proto/types.ts';
import { UnusableError } from '../../routing/refusal.ts';
import { createRouteTable, type RouteTable } from '../../routing/route-table.ts';
import { assignmentName, type ClusterView, createClusterView } from './cluster-view.ts';

/** All resources that the agent holds, by name. A resource that did not change is the same object as before. */
export interface MeshResources {
  readonly meshId: string;
  readonly revision: number;
  readonly names: ReadonlyMap<string, xds.Name>;
  readonly routeConfigurations: ReadonlyMap<string, xds.RouteConfiguration>;
  readonly clusters: ReadonlyMap<string, xds.Cluster>;
  readonly assignments: ReadonlyMap<string, xds.ClusterLoadAssignment>;
  readonly listeners: ReadonlyMap<string, xds.Listener>;
}

/** One that cannot be used, and a sentence that says why. */
export interface RefusedResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly reason: string;
}

export interface ServiceView {
  /** As the application addresses it: `Name.name`. */
  readonly name: string;
  /** `reviews.default`. */
  readonly service: string;
  /** At least one. */
  readonly ports: ReadonlyMap<number, RouteTable>;
  /** What a host without a port means. */
  readonly defaultPort: number;
  /** What its ports are called; those that an older server says nothing of are missing. */
  readonly portNames: ReadonlyMap<number, string>;
  /** Its addresses, for applications that take them from DNS. */
  readonly virtualIps: readonly string[];
  /** Applications dial its instances themselves: DNS answers with their addresses. */
  readonly isDirect: boolean;
}

export interface MeshView {
  readonly meshId: string;
  readonly revision: number;
  readonly resources: MeshResources;
  readonly routeTables: ReadonlyMap<string, RouteTable>;
  /** Every cluster that a route table names is here. */
  readonly clusters: ReadonlyMap<string, ClusterView>;
  /** What the ports of the agent's own service speak, by their names; the first stands first. */
  readonly inboundProtocols: ReadonlyMap<string, PortProtocol>;
  /** By `Name.name`, or by a virtual IP of what is known by another name: who was told the address by DNS may dial it. */
  service(name: string): ServiceView | undefined;
}

/** `tcp`: connections go through as they are, whatever is spoken on them. `undeclared`: HTTP is told by its first bytes. */
export type PortProtocol = 'http' | 'tcp' | 'undeclared';

/** The view of an agent that holds nothing yet. */
export const emptyMeshResources: MeshResources = {
  meshId: '',
  revision: 0,
  names: new Map(),
  routeConfigurations: new Map(),
  clusters: new Map(),
  assignments: new Map(),
  listeners: new Map(),
};

/** Who the agent is: its id decides where its splits start, its zone (when it has one) who is near. */
export interface ViewIdentity {
  readonly agentId: string;
  readonly zone?: string;
  /** Processes that each have such a view, and share its limits among them. 1 when not given. */
  readonly workers?: number;
}

/** A refusal names every resource at fault, not only the first. */
export function createMeshView(
  resources: MeshResources,
  previous: MeshView | undefined,
  { agentId, zone = '', workers = 1 }: ViewIdentity,
): { readonly view: MeshView } | { readonly refused: readonly RefusedResource[] } {
  const refusals = new Refusals();
  const clusters = prepareClusters(resources, previous, { zone, workers, refusals });
  const routeTables = prepareRouteTables(resources, previous, { agentId, refusals });
  const services = prepareServices(resources, routeTables, refusals);
  if (refusals.list.length > 0) return { refused: refusals.list };
  const { meshId, revision } = resources;
  const inboundProtocols = readInboundProtocols(resources.listeners);
  return {
    view: {
      meshId,
      revision,
      resources,
      routeTables,
      clusters,
      inboundProtocols,
      service: findService(services),
    },
  };
}

function findService(services: ReadonlyMap<string, ServiceView>): MeshView['service'] {
  let byVirtualIp: ReadonlyMap<string, ServiceView> | undefined;
  return (name) => {
    const found = services.get(name);
    if (found !== undefined || isIP(name) === 0) return found;
    byVirtualIp ??= new Map(
      [...services.values()].flatMap((service) => service.virtualIps.map((address) => [address, service] as const)),
    );
    return byVirtualIp.get(name);
  };
}

/** The view of nothing, to begin with. */
export function createEmptyMeshView(): MeshView {
  const { meshId, revision } = emptyMeshResources;
  return {
    meshId,
    revision,
    resources: emptyMeshResources,
    routeTables: new Map(),
    clusters: new Map(),
    inboundProtocols: new Map(),
    service: () => undefined,
  };
}

class Refusals {
  readonly list: RefusedResource[] = [];

  /** The result, or undefined with the fault noted. */
  collect<T>(type: { readonly typeUrl: string }, name: string, prepare: () => T): T | undefined {
    try {
      return prepare();
    } catch (error) {
      if (!(error instanceof UnusableError)) throw error;
      this.list.push({ typeUrl: type.typeUrl, name, reason: error.message });
      return undefined;
    }
  }
}

interface ClusterContext {
  readonly zone: string;
  readonly workers: number;
  readonly refusals: Refusals;
}

function prepareClusters(
  resources: MeshResources,
  previous: MeshView | undefined,
  { refusals, ...context }: ClusterContext,
): Map<string, ClusterView> {
  const prepared = new Map<string, ClusterView>();
  for (const [name, cluster] of resources.clusters) {
    const view = refusals.collect(xds.Cluster, name, () =>
      prepareCluster(cluster, resources, { ...context, previous }),
    );
    if (view !== undefined) prepared.set(name, view);
  }
  return prepared;
}

function prepareCluster(
  cluster: xds.Cluster,
  resources: MeshResources,
  {
    previous,
    ...context
  }: { readonly zone: string; readonly workers: number; readonly previous: MeshView | undefined },
): ClusterView {
  const endpoints = assignmentName(cluster);
  const assignment = resources.assignments.get(endpoints);
  if (assignment === undefined) throw new UnusableError('edsClusterConfig', `its endpoints "${endpoints}" are missing`);
  const before = previous?.clusters.get(cluster.name);
  const isUnchanged =
    previous?.resources.clusters.get(cluster.name) === cluster &&
    previous.resources.assignments.get(endpoints) === assignment;
  return isUnchanged && before !== undefined
    ? before
    : createClusterView(cluster, assignment, { ...context, previous: before });
}

interface RouteContext {
  readonly agentId: string;
  readonly refusals: Refusals;
}

function prepareRouteTables(
  resources: MeshResources,
  previous: MeshView | undefined,
  { agentId, refusals }: RouteContext,
): Map<string, RouteTable> {
  const prepared = new Map<string, RouteTable>();
  for (const [name, config] of resources.routeConfigurations) {
    const before = previous?.routeTables.get(name);
    const isUnchanged = before !== undefined && previous?.resources.routeConfigurations.get(name) === config;
    const table = refusals.collect(xds.RouteConfiguration, name, () => {
      const ready = isUnchanged ? before : createRouteTable(config, before, { agentId });
      // Also for a table that did not change: it may be its cluster that went.
      assertClusters(ready, resources);
      return ready;
    });
    if (table !== undefined) prepared.set(name, table);
  }
  return prepared;
}

/** A cluster that is there but unusable is a fault of the cluster alone, and noted there. */
function assertClusters(table: RouteTable, { clusters }: MeshResources): void {
  for (const cluster of table.clusters) {
    if (!clusters.has(cluster))
      throw new UnusableError('routes', `they name the cluster "${cluster}", which is missing`);
  }
}

function prepareServices(
  resources: MeshResources,
  routeTables: ReadonlyMap<string, RouteTable>,
  refusals: Refusals,
): Map<string, ServiceView> {
  const prepared = new Map<string, ServiceView>();
  for (const [key, name] of resources.names) {
    const view = refusals.collect(xds.Name, key, () => prepareService(name, resources, routeTables));
    if (view !== undefined) prepared.set(name.name, view);
  }
  return prepared;
}

function prepareService(
  name: xds.Name,
  resources: MeshResources,
  routeTables: ReadonlyMap<string, RouteTable>,
): ServiceView | undefined {
  const ports = new Map<number, RouteTable>();
  const portNames = new Map<number, string>();
  for (const [index, config] of name.routeConfigurations.entries()) {
    if (!resources.routeConfigurations.has(config)) {
      throw new UnusableError('routeConfigurations', `"${config}" is missing`);
    }
    const table = routeTables.get(config);
    // Refused, and noted there.
    if (table === undefined) return undefined;
    const port = portOf(config);
    ports.set(port, table);
    const portName = name.portNames[index];
    if (portName !== undefined) portNames.set(port, portName);
  }
  const [defaultPort] = ports.keys();
  if (defaultPort === undefined) throw new UnusableError('routeConfigurations', 'the service has no port');
  const { service, virtualIps, direct } = name;
  return { name: name.name, service, ports, defaultPort, portNames, virtualIps, isDirect: direct };
}

/** An agent has one service, and so one Listener at most. HTTP/2 and what stands on it goes through as bytes. */
function readInboundProtocols(listeners: MeshResources['listeners']): Map<string, PortProtocol> {
  const protocols = new Map<string, PortProtocol>();
  for (const { metadata } of listeners.values()) {
    const { ports } = fromStruct(metadata?.filterMetadata.sluice ?? null);
    for (const port of Array.isArray(ports) ? ports : []) {
      if (typeof port !== 'object' || port === null || Array.isArray(port)) continue;
      if (typeof port.name === 'string')
        protocols.set(port.name, port.protocol === 'http' || port.protocol === 'undeclared' ? port.protocol : 'tcp');
    }
  }
  return protocols;
}

/** `reviews.default:9080` is port 9080. */
function portOf(routeConfigurationName: string): number {
  const port = Number(routeConfigurationName.slice(routeConfigurationName.lastIndexOf(':') + 1));
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new UnusableError('routeConfigurations', `"${routeConfigurationName}" does not end in a port`);
}
