/** What DNS answers of the mesh: the names that the agent knows, and those that it asks the control plane for. */
import { parseClusterName } from '../model/names.ts';
import { ipv4Range } from '../process/ipv4-range.ts';
import type { DnsSettings } from './agent-settings.ts';
import type { NameAnswer, NameDirectory, NamedInstance, NamedPort } from './dns/name-directory.ts';
import type { EndpointView } from './view/endpoint-view.ts';
import type { MeshDirectory } from './view/mesh-directory.ts';
import type { MeshView, ServiceView } from './view/mesh-view.ts';

export interface MeshNamesOptions extends Pick<DnsSettings, 'domain' | 'vipRange'> {
  readonly directory: MeshDirectory;
}

/** Answers as of the view that requests are routed by: a name and its routes are of one revision. */
export function meshNames({ directory, domain, vipRange }: MeshNamesOptions): NameDirectory {
  /** A service of a view is one object, and has one answer. */
  const services = new WeakMap<ServiceView, NameAnswer>();
  /** By id: several may be at one place. */
  const instances = new WeakMap<EndpointView, Map<string, NameAnswer>>();
  const byAddress = new WeakMap<MeshView, ReadonlyMap<string, string>>();
  const isVirtual = ipv4Range(vipRange);
  const fullName = (service: string) => `${service}.${domain}`;

  const answerOfService = (service: ServiceView): NameAnswer => {
    const present = services.get(service);
    if (present !== undefined) return present;
    const { virtualIps: addresses, portNames } = service;
    const name = fullName(service.service);
    const ports: NamedPort[] = [...portNames].map(([port, portName]) => ({ name: portName, port }));
    const made: NameAnswer = service.isDirect
      ? { is: 'instances', name, instances: instancesOf(directory.view, service.service, name) }
      : { is: 'virtual', name, addresses, ports };
    services.set(service, made);
    return made;
  };

  const answerOfInstance = (service: ServiceView, id: string, view: MeshView): NameAnswer | 'unknown' => {
    const endpoint = findInstance(view, service.service, id);
    if (endpoint === undefined) return 'unknown';
    const answers = instances.get(endpoint) ?? new Map<string, NameAnswer>();
    instances.set(endpoint, answers);
    const present = answers.get(id);
    if (present !== undefined) return present;
    const name = `${id}.${fullName(service.service)}`;
    const made = { is: 'instances', name, instances: [{ name, address: endpoint.address, ports: [] }] } as const;
    answers.set(id, made);
    return made;
  };

  const known = (name: string, instance: string | undefined): NameAnswer | 'unknown' | undefined => {
    const { view } = directory;
    const service = view.service(name);
    if (service === undefined) return undefined;
    return instance === undefined ? answerOfService(service) : answerOfInstance(service, instance, view);
  };

  return {
    find(asked, instance) {
      // The server knows a service by all its spellings: to ask for one of them is enough.
      const name = asked.endsWith(`.${domain}`) ? asked.slice(0, -domain.length - 1) : asked;
      return (
        known(name, instance) ??
        directory.resolve(name).then((resolution) => {
          if (resolution === 'known') return known(name, instance) ?? 'unknown';
          if (resolution === 'absent') return 'unknown';
          throw new Error(directory.obstacle || 'the control plane has not answered');
        })
      );
    },
    nameOf(address) {
      if (!isVirtual(address)) return 'foreign';
      const { view } = directory;
      const names = byAddress.get(view) ?? namesByAddress(view, fullName);
      byAddress.set(view, names);
      return names.get(address) ?? 'unknown';
    },
  };
}

/** Those that take requests, each once, with the ports that it serves. */
function instancesOf(view: MeshView, service: string, name: string): NamedInstance[] {
  const found = new Map<string, NamedInstance & { readonly ports: NamedPort[] }>();
  for (const cluster of view.clusters.values()) {
    if (cluster.service !== service) continue;
    const portName = parseClusterName(cluster.name)?.port ?? '';
    for (const { instance, address, port, availability } of cluster.endpoints) {
      if (availability !== 'healthy') continue;
      const known = found.get(instance) ?? { name: `${instance.toLowerCase()}.${name}`, address, ports: [] };
      // The clusters of several subsets have the same port.
      if (!known.ports.some((each) => each.name === portName)) known.ports.push({ name: portName, port });
      found.set(instance, known);
    }
  }
  return [...found.values()];
}

/** Ids are as they were registered, questions in lower case. */
function findInstance(view: MeshView, service: string, id: string): EndpointView | undefined {
  for (const cluster of view.clusters.values()) {
    if (cluster.service !== service) continue;
    const found = cluster.endpoints.find(({ instance, others }) =>
      [instance, ...others].some((each) => each.toLowerCase() === id),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function namesByAddress(view: MeshView, fullName: (service: string) => string): ReadonlyMap<string, string> {
  return new Map(
    [...view.resources.names.values()].flatMap(({ service, virtualIps }) =>
      virtualIps.map((address) => [address, fullName(service)] as const),
    ),
  );
}
