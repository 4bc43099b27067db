/**
 * What lies under a socket: Node's handle of it. A server makes a socket of each connection before anybody is asked, and such
 * a socket cannot be given `onread` any more; to make a second one over the same handle is what most of a short connection
 * would cost. So servers tell of the handles as they come. No public way leads there: where it fails, the ordinary socket is
 * taken apart. Unit tests would see it if Node changed.
 */
import { type OnReadOpts, type Server, Socket } from 'node:net';

export type SocketHandle = object;

/** What a server of Node is told of each connection. */
type OnConnection = (error: number, handle: SocketHandle | undefined) => void;

const keepAliveSeconds = 60;

/** Tells of every connection of the server, which must be listening. Nobody reads it until it is opened. */
export function onEachConnection(server: Server, tell: (handle: SocketHandle) => void): void {
  const listening: unknown = Reflect.get(server, '_handle');
  if (typeof listening !== 'object' || listening === null || !('onconnection' in listening)) {
    server.on('connection', (socket: Socket) => {
      const handle = takeHandle(socket);
      if (handle !== undefined) tell(handle);
    });
    return;
  }
  const onConnection: OnConnection = (_error, handle) => {
    // Without a handle no descriptor was left, or the client has gone already: the next may come.
    if (handle === undefined) return;
    callOn(handle, 'setNoDelay', true);
    // A peer whose machine has gone would be waited for until somebody sends it something.
    callOn(handle, 'setKeepAlive', true, keepAliveSeconds);
    tell(handle);
  };
  listening.onconnection = onConnection;
}

/** A socket over it that reads as `onread` says. */
export function openHandle(handle: SocketHandle, onread: OnReadOpts): Socket {
  // `handle` is not among the documented options.
  const options = { handle, allowHalfOpen: true, onread };
  return new Socket(options);
}

/** Nobody may have read the socket. It is closed, and what lay under it is not. Undefined when it was closed already. */
export function takeHandle(socket: Socket): SocketHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  Reflect.set(socket, '_handle', null);
  socket.destroy();
  return typeof handle === 'object' && handle !== null ? handle : undefined;
}

/** The connection ends, unless another process has its handle too. */
export function closeHandle(handle: SocketHandle): void {
  callOn(handle, 'close');
}

function callOn(handle: SocketHandle, name: string, ...args: readonly unknown[]): void {
  const method: unknown = Reflect.get(handle, name);
  if (typeof method === 'function') Reflect.apply(method, handle, args);
}
