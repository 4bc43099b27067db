import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { openPort } from '../../../../agent/http1/port.ts';
import { type RequestHandler, ServerConnection } from '../../../../agent/http1/server-connection.ts';
import { ManualClock } from '../proxy/world.ts';
import { createSocketContext } from './socket-context.ts';

/** Takes its time over the first request, and none over those behind it. */
class SlowAtFirst implements RequestHandler {
  readonly #connection: ServerConnection;
  requests = 0;

  constructor(connection: ServerConnection) {
    this.#connection = connection;
  }

  onRequest(): void {
    if (this.requests++ > 0) this.answer();
  }

  answer(): void {
    const bytes = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');
    this.#connection.transport.write(bytes, 0, bytes.length);
    this.#connection.finish(true);
  }

  onBody(): void {}
  onBodyBroken(): void {}
  onClientGone(): void {}
  onCutOff(): void {}
  onClientDrain(): void {}
  onUnreadable(): void {}
  onTunnelBytes(): void {}
  onTunnelEnd(): void {}
}

describe('requests that are sent before the one before them is answered', () => {
  const closing: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  it('are read up to a limit, and all of them later', async () => {
    const accepted = new EventEmitter();
    const port = await openPort({ host: '127.0.0.1', port: 0 }, (handle) => {
      const connection = new ServerConnection(handle, {
        ...createSocketContext(new ManualClock()),
        headTimeoutMs: 60_000,
        idleTimeoutMs: 120_000,
        createHandler: (own) => {
          const handler = new SlowAtFirst(own);
          accepted.emit('connection', own, handler);
          return handler;
        },
        onClosed: () => {},
      });
      closing.push(() => connection.destroy());
    });
    closing.push(() => port.close());
    const arrived = once(accepted, 'connection');
    const client = connect(port.address).resume();
    closing.push(() => client.destroy());
    const request = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(4_000)}\r\n\r\n`;
    const count = 4_000;
    client.write(request.repeat(count));
    const [connection, handler] = (await arrived) as [ServerConnection, SlowAtFirst];
    while (connection.transport.receivedBytes <= 64 * 1024) await turn();
    for (let turns = 0; turns < 100; turns++) await turn();
    // The limit, and what was read when it was reached.
    expect(connection.transport.receivedBytes).to.be.at.most(3 * 64 * 1024);
    expect(handler.requests).to.equal(1);
    handler.answer();
    while (handler.requests < count) await turn();
  });
});
