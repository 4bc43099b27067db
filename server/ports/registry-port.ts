/** The registry as the REST API sees it. */
import type { InstanceInfo, InstanceState, RegistryPort, ServiceInfo } from '../../dashboard-api/ports.ts';
import { MeshError } from '../../model/errors.ts';
import { parseServiceKey, serviceKey } from '../../model/names.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { InstanceRecord } from '../registry/instance.ts';

/** A moment of the rising clock as ISO 8601. */
export type ToIso = (risingMs: number) => string;

export function createRegistryPort(plane: ControlPlane, toIso: ToIso): RegistryPort {
  const info = (ref: { namespace: string; service: string; id: string }): InstanceInfo => {
    const found = plane.registry.instance(ref);
    if (!found) throw new MeshError('INSTANCE_NOT_FOUND', [serviceKey(ref.namespace, ref.service), ref.id]);
    return instanceInfo(found.record, toIso(found.lastSeenMs));
  };
  return {
    services: () =>
      [...plane.cache.services()]
        .map(({ key }) => key)
        .sort()
        .map((key) => serviceInfo(key, plane)),
    instances: (namespace, service) => {
      const key = serviceKey(namespace, service);
      if (!plane.cache.service(key)) throw new MeshError('SERVICE_NOT_FOUND', [key]);
      return plane.registry.instances(key).map(({ record, lastSeenMs }) => instanceInfo(record, toIso(lastSeenMs)));
    },
    register: async (registration) => {
      const record: InstanceRecord = { ...registration, source: 'rest', state: 'passing' };
      const { lastSeenMs, created } = await plane.registry.register(record, false);
      // As it was registered: when that is on the disk somebody else may have removed it.
      return { instance: instanceInfo(record, toIso(lastSeenMs)), created };
    },
    heartbeat: async (ref) => {
      plane.registry.heartbeat(ref);
      return info(ref);
    },
    drain: async (ref) => {
      plane.registry.setState(ref, 'draining');
      return info(ref);
    },
    deregister: async (ref) => {
      // It would be missing although its agent lives, until that registers anew.
      if (plane.registry.isHeld(ref)) {
        throw new MeshError('INSTANCE_HELD', [serviceKey(ref.namespace, ref.service), ref.id]);
      }
      await plane.registry.deregister(ref);
    },
  };
}

export function instanceInfo(record: InstanceRecord, lastSeen: string): InstanceInfo {
  const { ttlMs: _ttlMs, ...rest } = record;
  return { ...rest, lastSeen };
}

const noInstances: Record<InstanceState, number> = { starting: 0, passing: 0, failing: 0, draining: 0, lost: 0 };

function serviceInfo(key: string, { rules, registry, virtualIps }: ControlPlane): ServiceInfo {
  const { namespace, name } = parseServiceKey(key) ?? { namespace: '', name: key };
  const document = rules.index.service(key);
  const instances = { ...noInstances };
  for (const { record } of registry.instances(key)) instances[record.state]++;
  return {
    namespace,
    name,
    declared: document !== undefined,
    ports: rules.index.ports(key),
    aliases: document?.spec.aliases ?? [],
    virtualIps: virtualIps.of(key),
    instances,
    revision: rules.get({ kind: 'Service', namespace, name })?.revision ?? 0,
  };
}
