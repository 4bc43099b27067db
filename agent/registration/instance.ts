/** The application as its callers reach it: the addresses that the registration names. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type HostPort, isUnspecified } from '../../process/host-port.ts';
import type { Input } from '../../proto/load.ts';
import type { Application, Instance } from '../../proto/types.ts';
import type { AgentSettings } from '../agent-settings.ts';
import { localAddressTowards } from './local-address.ts';

/** Where the agent takes requests for a port of the application; port 0 has become a number. */
export interface ListeningPort {
  readonly name: string;
  readonly address: HostPort;
}

type InstanceSettings = Pick<AgentSettings, 'advertise' | 'appAdvertise' | 'interception' | 'labels' | 'zone'>;

/** Undefined without application. What a server sees of us may differ by server, when we listen on all addresses. */
export async function instanceFor(
  server: HostPort,
  ports: readonly ListeningPort[],
  { advertise, appAdvertise, interception, labels, zone }: InstanceSettings,
): Promise<Input<Instance> | undefined> {
  const [first] = ports;
  if (first === undefined) return undefined;
  return {
    address: advertise?.address ?? (await reachable(first.address.host, server)),
    ports: Object.fromEntries(ports.map(({ name, address }) => [name, advertise?.port ?? address.port])),
    application: applicationOf(appAdvertise, first.name),
    ...(interception && { intercepts: true }),
    labels,
    zone,
  };
}

/** `only`: what the application's port is called, when it has one alone and the address came without its name. */
function applicationOf(places: readonly ListeningPort[], only: string): Input<Application> | null {
  const [first] = places;
  if (first === undefined) return null;
  const ports = Object.fromEntries(places.map(({ name, address }) => [name === '' ? only : name, address.port]));
  return { address: first.address.host, ports };
}

async function reachable(host: string, server: HostPort): Promise<string> {
  if (isUnspecified(host)) return localAddressTowards(server);
  return isIP(host) === 0 ? (await lookup(host)).address : host;
}
