/** Where an accepted connection comes from, and where it was going when a packet rule brought it here. */
import type { HostPort } from '../../process/host-port.ts';
import { originalDestination } from '../../process/original-destination.ts';
import type { SocketHandle } from './socket-handle.ts';

/** Undefined when it came here of its own accord, or is gone already. Costs two system calls, once per connection. */
export type DestinationOf = (handle: SocketHandle) => HostPort | undefined;

export const redirectedFrom: DestinationOf = (handle) => {
  const descriptor: unknown = Reflect.get(handle, 'fd');
  const local = arrivedAt(handle);
  if (typeof descriptor !== 'number' || descriptor < 0 || local === undefined) return undefined;
  return originalDestination(descriptor, local);
};

/** The other side; undefined when it is gone already. */
export function callerOf(handle: SocketHandle): HostPort | undefined {
  return endOf(handle, 'getpeername');
}

/** This side; undefined when it is gone already. */
export function arrivedAt(handle: SocketHandle): HostPort | undefined {
  return endOf(handle, 'getsockname');
}

function endOf(handle: SocketHandle, name: 'getsockname' | 'getpeername'): HostPort | undefined {
  const ask: unknown = Reflect.get(handle, name);
  if (typeof ask !== 'function') return undefined;
  const end: { address?: string; port?: number } = {};
  Reflect.apply(ask, handle, [end]);
  return end.address === undefined || end.port === undefined ? undefined : { host: end.address, port: end.port };
}
