/** Where an accepted connection was going when a packet rule brought it here. */
import type { HostPort } from '../../process/host-port.ts';
import { originalDestination } from '../../process/original-destination.ts';
import type { SocketHandle } from './socket-handle.ts';

/** Undefined when it came here of its own accord, or is gone already. Costs two system calls, once per connection. */
export type DestinationOf = (handle: SocketHandle) => HostPort | undefined;

export const redirectedFrom: DestinationOf = (handle) => {
  const descriptor: unknown = Reflect.get(handle, 'fd');
  const getsockname: unknown = Reflect.get(handle, 'getsockname');
  if (typeof descriptor !== 'number' || descriptor < 0 || typeof getsockname !== 'function') return undefined;
  const local: { address?: string; port?: number } = {};
  Reflect.apply(getsockname, handle, [local]);
  if (local.address === undefined || local.port === undefined) return undefined;
  return originalDestination(descriptor, { host: local.address, port: local.port });
};
