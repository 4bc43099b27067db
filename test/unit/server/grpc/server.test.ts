/** The gRPC server, asked by the client of another implementation (grpc-js) and, where that is too well-behaved, by node:http2. */
import { once } from 'node:events';
import http2 from 'node:http2';
import { gzipSync } from 'node:zlib';
import { Client, credentials, status as grpcStatus } from '@grpc/grpc-js';
import { expect } from 'chai';
import pino from 'pino';
import { frameMessage } from '../../../../server/grpc/message-framing.ts';
import { type EndedCall, GrpcServer } from '../../../../server/grpc/server.ts';
import type { ServerCall } from '../../../../server/grpc/server-call.ts';
import { StatusError, status } from '../../../../server/grpc/status.ts';
import { askOnce, GrpcStream } from '../../../support/grpc-stream.ts';

type Call = ServerCall<string, string>;

const method = (name: string) => ({
  path: `/test.Words/${name}`,
  requestDeserialize: (bytes: Buffer) => {
    if (bytes[0] === 0xff) throw new Error('0xff begins no word');
    return bytes.toString();
  },
  responseSerialize: (word: string) => Buffer.from(word),
});
const text = (bytes: Buffer) => bytes.toString();

describe('the gRPC server', () => {
  let server: GrpcServer;
  let address: string;
  let ended: EndedCall[];
  let faults: unknown[];
  let overs: string[];
  /** The call of the method Hold that came last. */
  let held: Promise<Call>;
  const sessions: http2.ClientHttp2Session[] = [];

  const streamOf = (name: string) => new GrpcStream<string>(address, method(name).path, text);
  const ask = (name: string, bytes: Buffer) => askOnce(address, method(name).path, { bytes, decode: text });

  beforeEach(async () => {
    ended = [];
    faults = [];
    overs = [];
    const log = Object.assign(pino({ level: 'silent' }), { error: (line: unknown) => faults.push(line) });
    server = new GrpcServer({ log, onEnded: (end) => ended.push(end), onBroken: () => {} });
    server.add(method('Echo'), (call: Call) => {
      call.onMessage = (word) => call.write(word.toUpperCase());
      call.onOver = () => overs.push('Echo');
    });
    server.add(method('Refuse'), (call: Call) => {
      call.onMessage = (word) => {
        throw new StatusError(status.RESOURCE_EXHAUSTED, `no more of ${word}: 100 % are taken – sorry`);
      };
    });
    server.add(method('Fail'), (call: Call) => {
      call.onMessage = () => {
        throw new Error('a secret of the server');
      };
    });
    server.add(
      method('Short'),
      (call: Call) => {
        call.onMessage = (word) => call.write(word);
      },
      1_000,
    );
    held = new Promise((resolve) => {
      server.add(method('Hold'), (call: Call) => {
        call.onOver = () => overs.push('Hold');
        resolve(call);
      });
    });
    address = `127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`;
  });
  afterEach(() => {
    for (const session of sessions.splice(0)) session.destroy();
    return server.close();
  });

  it('answers message by message, and ends with OK when the client has no more to say', async () => {
    const stream = streamOf('Echo');
    for (const word of ['a', 'b']) {
      stream.write(Buffer.from(word));
      expect(await stream.answer()).to.equal(word.toUpperCase());
    }
    stream.end();
    expect(await stream.ended).to.include({ code: grpcStatus.OK });
    expect(overs).to.deep.equal(['Echo']);
    expect(ended).to.deep.equal([{ method: '/test.Words/Echo', code: 'OK', details: '' }]);
  });

  it('answers a single question', async () => expect(await ask('Echo', Buffer.from('a'))).to.equal('A'));

  for (const { name, bytes, code, details } of [
    { name: 'Refuse', bytes: 'tea', code: 'RESOURCE_EXHAUSTED', details: 'no more of tea: 100 % are taken – sorry' },
    {
      name: 'Echo',
      bytes: '\xff',
      code: 'INVALID_ARGUMENT',
      details: 'a message cannot be decoded: 0xff begins no word',
    },
    {
      name: 'Fail',
      bytes: 'a',
      code: 'INTERNAL',
      details: 'the message could not be handled; the log of the server says why',
    },
    {
      name: 'Short',
      bytes: 'a'.repeat(1_001),
      code: 'RESOURCE_EXHAUSTED',
      details: 'a message has 1001 bytes: more than the 1000 that it may have',
    },
    { name: 'Nothing', bytes: 'a', code: 'UNIMPLEMENTED', details: 'this server has no such method' },
  ] as const) {
    it(`ends a call of ${name} with ${code} and a sentence, before and after it has answered`, async () => {
      const end = { code: grpcStatus[code], details };
      expect(await ask(name, Buffer.from(bytes, 'latin1'))).to.deep.equal(end);
      expect(ended).to.deep.equal([{ method: method(name).path, code, details }]);
      if (name !== 'Echo' && name !== 'Short') return;
      const stream = streamOf(name);
      stream.write(Buffer.from('b'));
      await stream.answer();
      stream.write(Buffer.from(bytes, 'latin1'));
      expect(await stream.ended).to.deep.equal(end);
    });
  }

  it('tells its log, and not the client, why a handler failed', async () => {
    await ask('Fail', Buffer.from('a'));
    expect(faults).to.have.lengthOf(1);
    expect(faults[0]).to.have.nested.property('err.message', 'a secret of the server');
  });

  it('tells the handler once when the client goes', async () => {
    const stream = await rawStream({ ':path': method('Hold').path });
    const call = await held;
    const over = new Promise<void>((resolve) => {
      call.onOver = resolve;
    });
    stream.session?.destroy();
    await over;
    let isTaken = false;
    call.write('late', () => {
      isTaken = true;
    });
    call.end();
    expect([isTaken, ended]).to.deep.equal([true, []]);
  });

  it('hands on nothing while a call is paused, then all in order, and the end last', async () => {
    const stream = streamOf('Hold');
    stream.write(Buffer.from('a'));
    const call = await held;
    const heard: string[] = [];
    const first = new Promise<void>((resolve) => {
      call.onMessage = (word) => {
        heard.push(word);
        call.pause();
        resolve();
      };
    });
    const half = new Promise<void>((resolve) => {
      call.onHalfClose = () => {
        heard.push('end');
        resolve();
      };
    });
    for (const word of ['b', 'c']) stream.write(Buffer.from(word));
    stream.end();
    await first;
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).to.deep.equal(['a']);
    for (const expected of ['b', 'c']) {
      call.resume();
      while (heard.at(-1) !== expected) await new Promise((resolve) => setImmediate(resolve));
    }
    call.resume();
    await half;
    expect(heard).to.deep.equal(['a', 'b', 'c', 'end']);
    call.end();
    await stream.ended;
  });

  it('ends a call when its deadline passes', async () => {
    const client = new Client(address, credentials.createInsecure());
    const stream = client.makeBidiStreamRequest(method('Hold').path, Buffer.from, text, {
      deadline: Date.now() + 50,
    });
    stream.on('error', () => {});
    const call = await held;
    await new Promise<void>((resolve) => {
      call.onOver = resolve;
    });
    client.close();
  });

  it('reads messages that are compressed, of as many bytes as others may have', async () => {
    const stream = await rawStream({ ':path': method('Short').path, 'grpc-encoding': 'gzip' });
    const compressed = (bytes: Buffer) => {
      const framed = frameMessage([gzipSync(bytes)]);
      framed[0] = 1;
      return framed;
    };
    stream.write(compressed(Buffer.from('tea')));
    const [answer] = await once(stream, 'data');
    expect(answer).to.deep.equal(frameMessage([Buffer.from('tea')]));
    stream.write(compressed(Buffer.alloc(100_000)));
    const [trailers] = await once(stream, 'trailers');
    expect(trailers).to.include({
      'grpc-status': '8',
      'grpc-message': 'a compressed message has more than 1000 bytes',
    });
  });

  for (const { headers, code, sentence } of [
    { headers: { 'grpc-encoding': 'snappy' }, code: '12', sentence: /snappy/ },
    { headers: {}, code: '13', sentence: /no header says how/ },
    { headers: { 'grpc-encoding': 'gzip' }, code: '3', sentence: /cannot be decompressed by gzip/ },
  ]) {
    it(`refuses what says that it is compressed, and is not as it says: ${JSON.stringify(headers)}`, async () => {
      const stream = await rawStream({ ':path': method('Echo').path, ...headers });
      const framed = frameMessage([Buffer.from('tea')]);
      framed[0] = 1;
      stream.write(framed);
      const [answer] = await once(stream, 'response');
      expect(answer['grpc-status']).to.equal(code);
      expect(answer['grpc-message']).to.match(sentence);
    });
  }

  for (const { headers, answer } of [
    { headers: { 'content-type': 'text/plain' }, answer: 415 },
    { headers: { ':method': 'GET' }, answer: 405 },
  ]) {
    it(`answers ${answer} to ${JSON.stringify(headers)}`, async () => {
      const stream = await rawStream({ ':path': method('Echo').path, ...headers });
      const [response] = await once(stream, 'response');
      expect(response[':status']).to.equal(answer);
    });
  }

  it('lets go of a client that takes neither what it was sent nor the end', async () => {
    const stream = await rawStream({ ':path': method('Hold').path });
    stream.write(frameMessage([Buffer.from('a')]));
    const call = await held;
    let isTaken = false;
    call.writeFramed(Buffer.alloc(1_000_000), () => {
      isTaken = true;
    });
    call.end(status.RESOURCE_EXHAUSTED, 'the client does not read');
    expect(overs).to.deep.equal(['Hold']);
    // The client reads nothing: it hears of the end because its stream is reset.
    await new Promise<void>((resolve) => stream.once('close', resolve));
    expect(isTaken).to.equal(true);
  }).timeout(10_000);

  it('ends what is there when it closes, and cuts what does not end', async () => {
    const stream = streamOf('Hold');
    stream.write(Buffer.from('a'));
    await held;
    await server.close();
    expect(await stream.ended).to.include({ code: grpcStatus.UNAVAILABLE });
    expect(overs).to.deep.equal(['Hold']);
  });

  it('says when it cannot listen', async () => {
    const other = new GrpcServer({ log: pino({ level: 'silent' }), onEnded: () => {}, onBroken: () => {} });
    const [host = '', port] = address.split(':');
    const error = await other.listen({ host, port: Number(port) }).catch((reason: Error) => reason);
    expect(error)
      .to.have.property('message')
      .that.matches(/^cannot listen on 127\.0\.0\.1:\d+ for gRPC: /);
  });

  async function rawStream(headers: http2.OutgoingHttpHeaders): Promise<http2.ClientHttp2Stream> {
    const session = http2.connect(`http://${address}`);
    sessions.push(session);
    await once(session, 'connect');
    return session
      .request(
        { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers', ...headers },
        { endStream: false },
      )
      .on('error', () => {});
  }
});
