import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { startDnsServer } from '../../../../agent/dns/dns-server.ts';
import { FrameReader, frame } from '../../../../agent/dns/length-framing.ts';
import { systemClock } from '../../../../process/clock.ts';
import type { HostPort } from '../../../../process/host-port.ts';
import { directory, lines, question, read } from './dns-under-test.ts';
import { askOverTcp, askOverUdp, ServersUnderTest } from './servers-under-test.ts';

describe('the DNS server', () => {
  const servers = new ServersUnderTest();
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await servers.close();
  });
  const open = async ({ host, port }: HostPort) => {
    const socket = connect(port, host);
    sockets.push(socket);
    // A connection that the server has closed may tell so by an error.
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  const options = {
    domain: 'mesh.local',
    namespace: 'default',
    directory,
    upstreams: () => [],
    clock: systemClock,
    randomBytes: (count: number) => new Uint8Array(count),
  };

  it('answers over UDP and TCP on one port, on every address that it is given', async () => {
    const listen = ['127.0.0.1', '::1'].map((host) => ({ host, port: 0 }));
    const server = await startDnsServer({ ...options, listen });
    expect(server.addresses.map(({ host }) => host)).to.deep.equal(['127.0.0.1', '::1']);
    expect(new Set(server.addresses.map(({ port }) => port)).size).to.equal(1);
    for (const address of server.addresses) {
      const overUdp = await askOverUdp(address, question('reviews'));
      const [overTcp] = await askOverTcp(address, [question('reviews')]);
      expect([lines(overUdp.answers), lines(overTcp?.answers)]).to.deep.equal([['A 240.240.0.1'], ['A 240.240.0.1']]);
    }
    expect(server.counters).to.deep.include({ udpMessages: 2, tcpMessages: 2, ownAnswers: 4 });
    await server.close();
  });

  it('does not start when an address is taken, and then listens nowhere', async () => {
    const { ownAddress } = await servers.start([]);
    const listen = [{ host: '127.0.0.2', port: ownAddress.port }, ownAddress];
    const failed = await startDnsServer({ ...options, listen }).then(
      () => 'started',
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(failed).to.equal('EADDRINUSE');
    const again = await startDnsServer({ ...options, listen: listen.slice(0, 1) });
    await again.close();
  });

  it('lets go of everything when it is closed, questions under way included', async () => {
    const upstream = await servers.upstream(() => {});
    const { server, ownAddress, counters, until } = await servers.start([upstream]);
    const socket = await open(ownAddress);
    socket.write(frame(question('www.example.com')));
    await until(() => counters.underWay === 1);
    await server.close();
    expect(counters.underWay).to.equal(0);
    const again = await startDnsServer({ ...options, listen: [ownAddress] });
    await again.close();
  });

  it('closes a connection on which nothing is asked', async () => {
    const { ownAddress, clock, counters, until } = await servers.start([], { idleMs: 10_000 }, 'fake-clock');
    const socket = await open(ownAddress);
    await until(() => counters.tcpConnections === 1);
    clock.advance(9_999);
    socket.write(frame(question('reviews')));
    await once(socket, 'data');
    // A piece of a question is none.
    socket.write(Buffer.from([0]));
    clock.advance(9_999);
    expect(counters.tcpConnections).to.equal(1);
    clock.advance(1);
    await closed(socket);
    await until(() => counters.tcpConnections === 0);
  });

  it('closes connections beyond so many at once, and takes others when some have gone', async () => {
    const { ownAddress, counters, until } = await servers.start([], { mostConnections: 2 });
    const [first] = [await open(ownAddress), await open(ownAddress)];
    await until(() => counters.tcpConnections === 2);
    const third = await open(ownAddress);
    await closed(third);
    expect(counters.tcpRefused).to.equal(1);
    first.destroy();
    await until(() => counters.tcpConnections === 1);
    expect(await askOverTcp(ownAddress, [question('reviews')])).to.have.length(1);
  });

  for (const { says, bytes } of [
    { says: 'what is shorter than a header', bytes: frame(Buffer.alloc(11)) },
    { says: 'a response', bytes: frame(Buffer.alloc(12, 0x80)) },
  ]) {
    it(`closes a connection that brings ${says}`, async () => {
      const { ownAddress, counters } = await servers.start([]);
      const socket = await open(ownAddress);
      socket.write(bytes);
      await closed(socket);
      expect(counters.dropped).to.equal(1);
    });
  }

  it('goes on after what no client sends', async () => {
    const { ownAddress, ask, counters } = await servers.start([]);
    for (const bytes of [Buffer.alloc(1), Buffer.alloc(500, 0xff), Buffer.alloc(2_000, 0xc0)]) {
      const socket = await open(ownAddress);
      socket.end(bytes);
      await closed(socket);
    }
    expect(lines((await ask('reviews')).answers)).to.deep.equal(['A 240.240.0.1']);
    expect(counters.tcpConnections).to.equal(0);
  });

  it('reads no more from a client that does not take its answers, and goes on when it does', async () => {
    const { ownAddress, counters, until } = await servers.start([]);
    const socket = await open(ownAddress);
    const asked = 20_000;
    const message = frame(question('many'));
    socket.pause();
    socket.write(Buffer.concat(Array.from({ length: asked }, () => message)));
    let seen = -1;
    // What the kernel holds for both is a few megabytes of thirty.
    for (let quiet = 0; quiet < 200; quiet++) {
      await new Promise(setImmediate);
      if (counters.tcpMessages !== seen) quiet = 0;
      seen = counters.tcpMessages;
    }
    expect(seen).to.be.within(1, asked - 1);
    let answers = 0;
    const reader = new FrameReader((answer) => {
      answers++;
      if (answers === asked) expect(read(answer).answers).to.have.length(100);
    });
    socket.on('data', (piece) => reader.push(piece));
    socket.resume();
    await until(() => answers === asked);
  });
});

/** Also by a reset: `once` of node:events would take that for a failure. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve).resume());
}
