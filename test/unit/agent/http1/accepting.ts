/** Connections that come: a transport on the near side, and on the far side a socket that the test holds. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { onEachConnection } from '../../../../agent/http1/socket-handle.ts';
import { type SocketContext, type SocketUser, Transport } from '../../../../agent/http1/transport.ts';

export interface Accepted {
  readonly own: Transport;
  /** Not read from until the test does. */
  readonly far: Socket;
}

export class Accepting {
  readonly #server: Server;
  readonly #context: SocketContext;
  readonly #accepted: Accepted[] = [];

  private constructor(server: Server, context: SocketContext) {
    this.#server = server;
    this.#context = context;
  }

  static async start(context: SocketContext): Promise<Accepting> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Accepting(server, context);
  }

  /** One at a time: `user` is told what the far side does. */
  async accept(user: SocketUser): Promise<Accepted> {
    let own: Transport | undefined;
    onEachConnection(this.#server, (handle) => {
      own = Transport.accept(handle, user, this.#context);
    });
    const { port } = this.#server.address() as AddressInfo;
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }).on('error', () => {});
    while (own === undefined) await turn();
    const accepted = { own, far };
    this.#accepted.push(accepted);
    return accepted;
  }

  close(): void {
    this.#server.close();
    for (const { own, far } of this.#accepted) {
      own.destroy();
      far.destroy();
    }
  }
}
