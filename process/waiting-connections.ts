/**
 * Connections that wait to be accepted. libuv takes one per turn of the event loop: a server whose turns take 10 ms takes 10 s for
 * the thousand clients that come back after a restart. By accept4(2), which Node does not offer. Linux only.
 */
import { type Server, Socket } from 'node:net';
import koffi from 'koffi';

const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

type Accept = (fd: number, address: null, length: null, flags: number) => number;

let accept: Accept | undefined;

/** Accepts up to so many of those that wait for the server, which listens by TCP. None on other systems. */
export function acceptWaiting(server: Server, most: number): Socket[] {
  const descriptor = descriptorOf(server);
  if (descriptor < 0 || process.platform !== 'linux') return [];
  accept ??= koffi.load(null).func('int accept4(int, void *, void *, int)') as Accept;
  const sockets: Socket[] = [];
  while (sockets.length < most) {
    const fd = accept(descriptor, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
    // Nobody waits any more; or there is no descriptor left, which libuv deals with.
    if (fd < 0) break;
    sockets.push(new Socket({ fd, readable: true, writable: true }).setNoDelay(true));
  }
  return sockets;
}

/** Not documented, but there since Node 0.x: its handle, with the descriptor. -1 when it does not listen. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd: number } | null };
  return handle?.fd ?? -1;
}
