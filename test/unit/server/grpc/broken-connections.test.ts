import { once } from 'node:events';
import { connect } from 'node:net';
import { mock } from 'node:test';
import { expect } from 'chai';
import pino from 'pino';
import { BrokenConnections } from '../../../../server/grpc/broken-connections.ts';
import { GrpcServer } from '../../../../server/grpc/server.ts';

const noise = Buffer.from(Array.from({ length: 200 }, (_, index) => (index * 91 + 3) & 255));
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

describe('the gRPC port', () => {
  const told: { readonly peer: string }[] = [];
  let broken = 0;
  let port: number;
  const server = new GrpcServer({
    log: Object.assign(pino({ level: 'silent' }), { warn: (line: { readonly peer: string }) => told.push(line) }),
    onEnded: () => {},
    onBroken: () => broken++,
  });

  before(async () => {
    port = await server.listen({ host: '127.0.0.1', port: 0 });
  });
  after(() => server.close());

  for (const { name, bytes } of [
    { name: 'random bytes', bytes: noise },
    { name: 'HTTP/1.1', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: reviews\r\n\r\n') },
    { name: 'the preface of HTTP/2 and noise', bytes: Buffer.concat([preface, noise]) },
  ]) {
    it(`counts a connection with ${name}, and cuts it`, async () => {
      const before = broken;
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      socket.resume().write(bytes);
      await new Promise((resolve) => socket.once('close', resolve));
      expect(broken).to.equal(before + 1);
    });
  }

  it('names one peer in its log, and not all of many', () => {
    expect(told).to.have.lengthOf(1);
    expect(told[0]?.peer).to.match(/^127\.0\.0\.1:\d+$/);
  });

  it('does not count who hangs up', async () => {
    const before = broken;
    const socket = connect(port, '127.0.0.1').resume();
    await once(socket, 'connect');
    socket.end(preface);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(broken).to.equal(before);
  });
});

describe('broken connections', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  it('are told of at once, and those of the next 10 s together', () => {
    const told: unknown[] = [];
    const broken = new BrokenConnections({ warn: (line: unknown) => void told.push(line) }, () => {});
    for (const port of [1, 2, 3]) broken.note(`10.0.0.1:${port}`, 'no');
    mock.timers.tick(10_000);
    broken.note('10.0.0.2:1', 'no');
    mock.timers.tick(10_000);
    broken.close();
    expect(told).to.deep.equal([
      { peer: '10.0.0.1:1', reason: 'no' },
      { connections: 2 },
      { peer: '10.0.0.2:1', reason: 'no' },
    ]);
  });
});
