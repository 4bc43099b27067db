/** Clients that go without a word, or stay without one: no library does that, so these speak in frames of their own. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { mock } from 'node:test';
import { expect } from 'chai';
import pino from 'pino';
import { frameMessage } from '../../../../server/grpc/message-framing.ts';
import { GrpcServer } from '../../../../server/grpc/server.ts';
import type { ServerCall } from '../../../../server/grpc/server-call.ts';
import { beginCall, encodeFrame, frameType, preface, setting, words } from '../../../support/raw-http2.ts';

type Call = ServerCall<Buffer, Buffer>;

const path = '/test.Words/Hold';
const same = (bytes: Buffer) => bytes;
const keepaliveMs = 30_000;
const pongMs = 10_000;
const shutdownMs = 2_000;
const lingerMs = 5_000;
const noError = words(0);
const initialWindow = 4;
const mostWindow = 2 ** 31 - 1;
const mostMoreWindow = mostWindow - 65_535;

describe('a client of the gRPC server', () => {
  let server: GrpcServer;
  let port: number;
  let call: Call;
  let begun: Promise<void>;
  let over: Promise<void>;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = new GrpcServer({ log: pino({ level: 'silent' }), onEnded: () => {}, onBroken: () => {} });
    over = new Promise((onOver) => {
      begun = new Promise((resolve) => {
        server.add({ path, requestDeserialize: same, responseSerialize: same }, (begins: Call) => {
          call = begins;
          call.onOver = onOver;
          resolve();
        });
      });
    });
    port = await server.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(async () => {
    mock.timers.reset();
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close();
  });

  /** Keeps its side open when the server closes its own. */
  async function greet(...frames: readonly Buffer[]): Promise<Socket> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(Buffer.concat([preface, ...frames]));
    return socket;
  }
  const settings = (payload?: Buffer) => encodeFrame({ type: frameType.settings, ...(payload && { payload }) });
  const message = (bytes: Buffer) => encodeFrame({ type: frameType.data, stream: 1, payload: frameMessage([bytes]) });
  const reset = encodeFrame({ type: frameType.reset, stream: 1, payload: noError });
  /** With its timers stopped, the server cuts nobody to end. */
  const nobodyIsLeft = () => server.close();

  it('that says goodbye and keeps its connection open is cut', async () => {
    mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
    const goodbye = encodeFrame({ type: frameType.goaway, payload: words(0, 0) });
    const socket = (await greet(settings(), goodbye)).resume();
    await once(socket, 'end');
    mock.timers.tick(keepaliveMs);
    await nobodyIsLeft();
  });

  it('that answers no ping is cut, also when it takes nothing of what it was sent', async () => {
    mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
    const wide = encodeFrame({ type: frameType.windowUpdate, payload: words(mostMoreWindow) });
    await greet(settings(setting(initialWindow, mostWindow)), wide, beginCall(1, path));
    await begun;
    // More than the system keeps for both sides.
    const taken = new Promise<void>((resolve) => call.writeFramed(Buffer.alloc(64 * 1024 * 1024), resolve));
    mock.timers.tick(keepaliveMs);
    mock.timers.tick(pongMs);
    await Promise.all([over, taken]);
    mock.timers.tick(keepaliveMs);
    await nobodyIsLeft();
  });

  it('gives a sign of life by the answer to a ping, one for all who ask meanwhile', async () => {
    const socket = await greet(settings(), beginCall(1, path));
    await begun;
    // Of eight bytes, as every ping.
    const pingHead = Buffer.from([0, 0, 8, frameType.ping, 0]);
    let heard = Buffer.alloc(0);
    const isAsked = new Promise<void>((resolve) => {
      socket.on('data', (bytes) => {
        heard = Buffer.concat([heard, bytes]);
        if (heard.includes(pingHead)) resolve();
      });
    });
    let signs = 0;
    const bothTold = new Promise<void>((resolve) => {
      for (let count = 0; count < 2; count++) call.askForSign(() => ++signs === 2 && resolve());
    });
    await isAsked;
    expect(signs).to.equal(0);
    const at = heard.indexOf(pingHead);
    expect(heard.indexOf(pingHead, at + 1)).to.equal(-1);
    const payload = heard.subarray(at + 9, at + 17);
    socket.write(encodeFrame({ type: frameType.ping, flags: 1, payload }));
    await bothTold;
  });

  it('that keeps its connection open holds up the end of the server no longer than others', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const socket = (await greet(settings())).resume();
    await once(socket, 'data');
    const end = server.close();
    await once(socket, 'end');
    mock.timers.tick(shutdownMs);
    await end;
  });

  for (const { name, act } of [
    { name: 'has not read', act: () => call.pause() },
    { name: 'has answered', act: () => call.writeFramed(Buffer.alloc(1_000_000)) },
  ]) {
    it(`that resets its call without an error is gone, though the server ${name} what there is`, async () => {
      const socket = (await greet(settings(), beginCall(1, path))).resume();
      await begun;
      const heard = new Promise<void>((resolve) => {
        call.onMessage = () => {
          act();
          resolve();
        };
      });
      socket.write(message(Buffer.from('a')));
      await heard;
      socket.write(Buffer.concat([message(Buffer.from('b')), reset]));
      await over;
      let isTaken = false;
      call.write(Buffer.from('late'), () => {
        isTaken = true;
      });
      expect(isTaken).to.equal(true);
    });
  }

  it('that resets its call without an error after its end is gone when the time to take it is over', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const socket = await greet(settings(), beginCall(1, path));
    await begun;
    const taken = new Promise<void>((resolve) => call.writeFramed(Buffer.alloc(1_000_000), resolve));
    call.end();
    const mark = Buffer.from('12345678');
    const isMarkBack = new Promise<void>((resolve) => {
      let heard = Buffer.alloc(0);
      socket.on('data', (bytes) => {
        heard = Buffer.concat([heard, bytes]);
        if (heard.includes(mark)) resolve();
      });
    });
    socket.write(Buffer.concat([reset, encodeFrame({ type: frameType.ping, payload: mark })]));
    await isMarkBack;
    mock.timers.tick(lingerMs);
    await taken;
  });
});
