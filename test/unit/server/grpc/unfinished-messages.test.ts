import { once } from 'node:events';
import http2 from 'node:http2';
import { expect } from 'chai';
import pino from 'pino';
import { frameMessage } from '../../../../server/grpc/message-framing.ts';
import { GrpcServer } from '../../../../server/grpc/server.ts';
import type { ServerCall } from '../../../../server/grpc/server-call.ts';

const path = '/test.Words/Echo';
const same = (bytes: Buffer) => bytes;
const mostUnfinishedBytes = 10_000;

describe('messages that have begun to come', () => {
  let server: GrpcServer;
  let port: number;
  const sessions: http2.ClientHttp2Session[] = [];

  before(async () => {
    server = new GrpcServer({
      log: pino({ level: 'silent' }),
      onEnded: () => {},
      onBroken: () => {},
      mostUnfinishedBytes,
    });
    const echo = (call: ServerCall<Buffer, Buffer>) => {
      call.onMessage = (message) => call.write(message);
    };
    server.add({ path, requestDeserialize: same, responseSerialize: same }, echo);
    port = await server.listen({ host: '127.0.0.1', port: 0 });
  });
  after(() => server.close());
  afterEach(() => {
    for (const session of sessions.splice(0)) session.destroy();
  });

  function connect() {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    sessions.push(session);
    return () => {
      const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
      return session.request(headers, { endStream: false }).on('error', () => {});
    };
  }

  it('and will not go on end the call with INTERNAL: the client has lost the rest', async () => {
    const call = connect()();
    call.end(frameMessage([Buffer.from('tea')]).subarray(0, 7));
    const [answer] = await once(call, 'response');
    expect(answer).to.include({ 'grpc-status': '13', 'grpc-message': 'the client ended within a message' });
  });

  it('may have so many bytes on one connection, whole ones and those of other connections not counted', async () => {
    const begin = connect();
    const message = frameMessage([Buffer.alloc(mostUnfinishedBytes - 100)]);
    const [start, rest] = [message.subarray(0, -200), message.subarray(-200)];
    const first = begin();
    for (let round = 0; round < 3; round++) {
      first.write(message);
      await once(first, 'data');
    }
    first.write(start);
    const second = begin();
    second.write(start);
    const [answer] = await once(second, 'response');
    expect(answer).to.include({
      'grpc-status': '8',
      'grpc-message': 'too many long messages come at once on this connection',
    });
    const other = connect()();
    other.write(message);
    await once(other, 'data');
    first.write(rest);
    await once(first, 'data');
    // What was refused, or is whole, is forgotten.
    const third = begin();
    third.write(start);
    third.write(rest);
    await once(third, 'data');
  });
});
