import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { openPort } from '../../../../agent/http1/port.ts';
import { type RequestHandler, ServerConnection } from '../../../../agent/http1/server-connection.ts';
import { ManualClock } from '../proxy/world.ts';
import { createSocketContext } from './socket-context.ts';

const part = Buffer.alloc(64 * 1024, 'x');

/** Answers with more than the client has taken so far: some of it is still here when the answer is complete. */
class LongAnswer implements RequestHandler {
  readonly #connection: ServerConnection;
  readonly #keepAlive: boolean;
  bytes = 0;
  onAnswered = () => {};

  constructor(connection: ServerConnection, keepAlive: boolean) {
    this.#connection = connection;
    this.#keepAlive = keepAlive;
  }

  onRequest(): void {
    const { transport } = this.#connection;
    if (!transport.isClogged) {
      transport.write(part, 0, part.length);
      this.bytes += part.length;
      setImmediate(() => this.onRequest());
      return;
    }
    this.#connection.finish(this.#keepAlive);
    this.onAnswered();
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

describe('a client that has not taken the whole of an answer yet', () => {
  let clock: ManualClock;
  let client: Socket;
  let connection: ServerConnection;
  let handler: LongAnswer;
  let isClosed: boolean;
  const closing: (() => unknown)[] = [];

  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  /** Resolves when the answer is complete, and the client has read nothing. */
  async function answer(keepAlive: boolean): Promise<void> {
    clock = new ManualClock();
    isClosed = false;
    const times = { headTimeoutMs: 60_000, idleTimeoutMs: 120_000 };
    const answered = new EventEmitter();
    const port = await openPort({ host: '127.0.0.1', port: 0 }, (handle) => {
      connection = new ServerConnection(handle, {
        ...createSocketContext(clock),
        ...times,
        createHandler: (own) => {
          handler = new LongAnswer(own, keepAlive);
          handler.onAnswered = () => answered.emit('answered');
          return handler;
        },
        onClosed: () => {
          isClosed = true;
        },
      });
    });
    closing.push(() => port.close());
    client = connect({ ...port.address, allowHalfOpen: true }).pause();
    closing.push(() => client.destroy());
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(answered, 'answered');
    expect(connection.transport.waitingBytes).to.be.greaterThan(0);
  }

  for (const { what, keepAlive, act } of [
    { what: 'when it closes its side', keepAlive: true, act: () => client.end() },
    { what: 'when it closes its side and the connection is being ended', keepAlive: false, act: () => client.end() },
    { what: 'when it takes a while', keepAlive: false, act: () => clock.pass(2_000) },
    { what: 'when the listener closes', keepAlive: true, act: () => connection.drain() },
  ]) {
    it(`gets all of it ${what}`, async () => {
      await answer(keepAlive);
      act();
      for (let n = 0; n < 20; n++) await new Promise(setImmediate);
      const received = buffer(client);
      expect((await received).length).to.equal(handler.bytes);
      client.destroy();
      while (!isClosed) {
        clock.pass(2_000);
        await new Promise(setImmediate);
      }
    });
  }

  for (const { what, act } of [
    { what: 'is let go when it takes nothing for five minutes', act: () => {} },
    { what: 'is let go when it takes nothing for five minutes and has closed its side', act: () => void client.end() },
  ]) {
    it(what, async () => {
      await answer(false);
      act();
      for (let n = 0; n < 149; n++) clock.pass(2_000);
      await new Promise(setImmediate);
      expect(isClosed).to.equal(false);
      for (let n = 0; n < 10; n++) clock.pass(2_000);
      while (!isClosed) await new Promise(setImmediate);
    });
  }

  it('is waited for as long as it takes something', async () => {
    await answer(false);
    for (let n = 0; n < 149; n++) clock.pass(2_000);
    const left = connection.transport.waitingBytes;
    const ended = once(client, 'end');
    while (connection.transport.waitingBytes === left) {
      client.read(64 * 1024);
      await new Promise(setImmediate);
    }
    for (let n = 0; n < 10; n++) clock.pass(2_000);
    const received = buffer(client);
    await ended;
    client.end();
    expect((await received).length).to.be.greaterThan(0);
    while (!isClosed) await new Promise(setImmediate);
  });
});
