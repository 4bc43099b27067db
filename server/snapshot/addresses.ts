/**
 * The addresses by which a service may be looked up: its virtual IPs, and where its instances are. An application that took one
 * of them from DNS or from a registry dials it, and its agent asks whose it is. What such a name stands for is put together
 * when somebody asks: a mesh of fifty thousand instances has fifty thousand, and next to nobody asks for one.
 */
import { addressSpelling } from '../../model/names.ts';
import { Name } from '../../proto/types.ts';
import { type EncodedResource, encodeResource } from '../compile/encoded-resource.ts';
import { doCallersRoute } from '../compile/hops.ts';
import type { EndpointRules, ServiceInput } from '../compile/service-input.ts';
import type { InstancePlace, InstanceRecord } from '../registry/instance.ts';

/** What of a snapshot of a service its addresses are made of. */
export interface AddressedService {
  /** "reviews.default". */
  readonly key: string;
  /** What everything but its endpoints was compiled from: for the clients that need it in another form. */
  readonly input: ServiceInput;
  /** What its endpoints are made of: the rules, and the instances as they are now. */
  readonly endpointRules: EndpointRules;
  readonly instances: readonly InstanceRecord[];
  /** By which it may be looked up besides its names. */
  readonly addresses: ReadonlySet<string>;
}

/** "240.240.3.7", "192.168.1.104:12220", "[fd00::7]:12220": as `Name.name`. */
export function addressesOf({ input, instances }: Pick<AddressedService, 'input' | 'instances'>): ReadonlySet<string> {
  // Who asks for the very instance gets it: its address is nobody's business then.
  const isKept = input.document?.spec.instanceAddress === 'keep' || !doCallersRoute(input.document);
  return new Set([...input.virtualIps, ...(isKept ? [] : instances.flatMap(instanceAddresses))]);
}

/** The Name of one of its addresses: that of an instance leads to the ports which the instance serves there. */
export function addressName(snapshot: AddressedService, name: string): EncodedResource | undefined {
  if (!snapshot.addresses.has(name)) return undefined;
  const { key, input, instances } = snapshot;
  const served = input.virtualIps.includes(name)
    ? undefined
    : new Set(instances.flatMap((each) => portsAt(each, name)));
  const isServed = (port: string) =>
    served === undefined || served.has(port) || (served.has('') && snapshot.endpointRules.hasOnePort);
  const ports = input.ports.filter((port) => isServed(port.name));
  if (ports.length === 0) return undefined;
  const routeConfigurations = ports.map(({ port }) => `${key}:${port}`);
  const portNames = ports.map((port) => port.name);
  return encodeResource(Name, name, {
    name,
    service: key,
    routeConfigurations,
    virtualIps: input.virtualIps,
    portNames,
  });
}

/** What only one of them has. */
export function changedAddresses(before: AddressedService | undefined, after: AddressedService | undefined): string[] {
  const [was, is] = [before?.addresses ?? none, after?.addresses ?? none];
  if (was === is) return [];
  return [...[...was].filter((name) => !is.has(name)), ...[...is].filter((name) => !was.has(name))];
}

const none: ReadonlySet<string> = new Set();

/** Its agent's and its application's: an application may have been told either. */
function placesOf({ address, ports, application }: InstanceRecord): InstancePlace[] {
  return [{ address, ports }, ...(application ? [application] : [])];
}

function instanceAddresses(instance: InstanceRecord): string[] {
  const spellings = placesOf(instance).flatMap(({ address, ports }) =>
    Object.values(ports).map((port) => addressSpelling(address, port)),
  );
  return [...new Set(spellings)];
}

/** Names of the ports that the instance serves at this address. */
function portsAt(instance: InstanceRecord, name: string): string[] {
  return placesOf(instance).flatMap(({ address, ports }) =>
    Object.entries(ports).flatMap(([port, number]) => (addressSpelling(address, number) === name ? [port] : [])),
  );
}
