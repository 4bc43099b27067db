/** Upgrade and CONNECT: from a certain byte on, the connections of a client and an upstream are one. */
import { expect } from 'chai';
import { expectNext, useWires, type Wire, WireUpstream, withoutIds } from './wire.ts';

const get = 'GET / HTTP/1.1\r\nHost: reviews\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const upgrade = 'GET /chat HTTP/1.1\r\nHost: reviews\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-A: b\r\n\r\n';
/** As the upstream gets it. */
const upgradeSent =
  'GET /chat HTTP/1.1\r\nHost: reviews\r\nSec-A: b\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-C: d\r\n\r\n';
const switchingSent =
  'HTTP/1.1 101 Switching Protocols\r\nSec-C: d\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n';

describe('a tunnel', () => {
  const wires = useWires();

  type Opened = { readonly client: Wire; readonly far: Wire };

  async function byUpgrade(): Promise<Opened> {
    const { client, upstream } = wires;
    client.send(upgrade);
    const far = await upstream.next();
    await expectNext(far, upgradeSent);
    far.send(switching);
    await expectNext(client, switchingSent);
    return { client, far };
  }

  async function byConnect(): Promise<Opened> {
    const { client, upstream } = wires;
    client.send('CONNECT reviews:9080 HTTP/1.1\r\nHost: reviews:9080\r\n\r\n');
    const far = await upstream.next();
    await expectNext(client, 'HTTP/1.1 200 Connection Established\r\n\r\n');
    return { client, far };
  }

  async function byConnectOutside(): Promise<Opened> {
    const { client, world } = wires;
    const upstream = await WireUpstream.start(world);
    const authority = `127.0.0.1:${upstream.port}`;
    client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    const far = await upstream.next();
    await expectNext(client, 'HTTP/1.1 200 Connection Established\r\n\r\n');
    return { client, far };
  }

  for (const { by, section, open } of [
    { by: 'Upgrade', section: '9110, 7.8', open: byUpgrade },
    { by: 'CONNECT to a service', section: '9110, 9.3.6', open: byConnect },
    { by: 'CONNECT to elsewhere', section: '9110, 9.3.6', open: byConnectOutside },
  ]) {
    describe(`by ${by} (RFC ${section})`, () => {
      it('carries all octets both ways, whatever they look like', async () => {
        const { client, far } = await open();
        const octets = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet)).join('');
        for (const text of [octets, get, ok, '0\r\n\r\n', 'x'.repeat(300_000)]) {
          client.send(text);
          expect(await far.take(text.length)).to.equal(text);
          far.send(text);
          expect(await client.take(text.length)).to.equal(text);
        }
      });

      it('goes on one way when the client has said all', async () => {
        const { client, far } = await open();
        client.end('last');
        expect(await far.takeAll()).to.equal('last');
        wires.clock.pass(60_000);
        far.send('more');
        expect(await client.take(4)).to.equal('more');
        far.end('end');
        expect(await client.takeAll()).to.equal('end');
        await Promise.all([client.closed(), far.closed()]);
        expect(wires.world.statistics.snapshot()).to.deep.include({ active: 0, clientGone: 0, brokenOff: 0 });
      });

      it('goes on the other way when the upstream has said all', async () => {
        const { client, far } = await open();
        far.end('last');
        expect(await client.takeAll()).to.equal('last');
        client.send('more');
        expect(await far.take(4)).to.equal('more');
        client.end();
        expect(await far.takeAll()).to.equal('');
        await Promise.all([client.closed(), far.closed()]);
        expect(wires.world.statistics.snapshot()).to.deep.include({ active: 0, clientGone: 0, brokenOff: 0 });
      });

      for (const who of ['client', 'far'] as const) {
        it(`ends when the ${who === 'far' ? 'upstream' : 'client'} breaks off`, async () => {
          const opened = await open();
          const other = who === 'far' ? opened.client : opened.far;
          opened[who].destroy();
          await other.takeAll();
          other.end();
          await other.closed();
          while (wires.world.statistics.snapshot().active > 0) await new Promise(setImmediate);
        });
      }

      it('is not ended by time, nor by what else the agent closes', async () => {
        const { client, far } = await open();
        wires.clock.pass(1_000_000);
        client.send('still');
        expect(await far.take(5)).to.equal('still');
      });

      it('waits for a slow reader, both ways', async () => {
        const { client, far } = await open();
        const much = 'x'.repeat(4_000_000);
        for (const [from, to] of [
          [client, far],
          [far, client],
        ] as const) {
          to.pause();
          from.send(much);
          from.send('end');
          to.resume();
          expect(await to.take(much.length + 3)).to.equal(`${much}end`);
        }
      });
    });
  }

  describe('by Upgrade', () => {
    it('carries what the client sends before it has its answer', async () => {
      const { client, upstream } = wires;
      client.send(`${upgrade}early`);
      const far = await upstream.next();
      await expectNext(far, upgradeSent);
      expect(far.received).to.equal('');
      far.send(`${switching}late`);
      await expectNext(client, `${switchingSent}late`);
      expect(await far.take(5)).to.equal('early');
    });

    it('carries what a client has sent that closed its side at once', async () => {
      const { client, upstream, clock } = wires;
      client.end(`${upgrade}early`);
      const far = await upstream.next();
      await expectNext(far, upgradeSent);
      far.send(switching);
      await expectNext(client, switchingSent);
      expect(await far.takeAll()).to.equal('early');
      clock.pass(60_000);
      far.end('answer');
      expect(await client.takeAll()).to.equal('answer');
    });

    it('is none when the upstream answers otherwise, and what was sent behind is a request', async () => {
      const { client, upstream } = wires;
      client.send(upgrade + get);
      const far = await upstream.next();
      await expectNext(far, upgradeSent);
      far.send(ok);
      await expectNext(client, ok);
      await expectNext(far, get);
      far.send(ok);
      await expectNext(client, ok);
    });

    it('comes behind requests, and interim responses', async () => {
      const { client, upstream } = wires;
      client.send(get + upgrade);
      const far = await upstream.next();
      await expectNext(far, get);
      far.send(ok);
      await expectNext(client, ok);
      await expectNext(far, upgradeSent);
      far.send(`HTTP/1.1 103 Early Hints\r\n\r\n${switching}`);
      await expectNext(client, 'HTTP/1.1 103 Early Hints\r\n\r\n');
      await expectNext(client, switchingSent);
    });

    for (const { what, head } of [
      { what: 'without Connection', head: 'Upgrade: websocket\r\n' },
      { what: 'to h2c', head: 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n' },
      { what: 'to h2c among others', head: 'Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n' },
      { what: 'without saying to what', head: 'Connection: Upgrade\r\n' },
    ]) {
      it(`is not asked for ${what}, and may not be given (RFC 9110, 7.8)`, async () => {
        const { client, upstream } = wires;
        client.send(`GET / HTTP/1.1\r\nHost: reviews\r\n${head}\r\n`);
        const far = await upstream.next();
        await expectNext(far, get);
        far.send(switching);
        expect(await client.takeHead()).to.match(/^HTTP\/1.1 502 Bad Gateway\r\n/);
        expect(await far.takeAll()).to.equal('');
      });
    }

    it('is not asked for in HTTP/1.0 (RFC 9110, 7.8)', async () => {
      const { client, upstream } = wires;
      client.send(upgrade.replace('HTTP/1.1', 'HTTP/1.0'));
      const far = await upstream.next();
      await expectNext(far, 'GET /chat HTTP/1.1\r\nHost: reviews\r\nSec-A: b\r\n\r\n');
    });
  });

  describe('by CONNECT', () => {
    it('carries what the client sends before it has its answer', async () => {
      const { client, upstream } = wires;
      client.send('CONNECT reviews:9080 HTTP/1.1\r\nHost: reviews:9080\r\n\r\nearly');
      const far = await upstream.next();
      await expectNext(client, 'HTTP/1.1 200 Connection Established\r\n\r\n');
      expect(await far.take(5)).to.equal('early');
    });

    it('carries what the upstream says first', async () => {
      const { client, upstream } = wires;
      client.send('CONNECT reviews:9080 HTTP/1.1\r\nHost: reviews:9080\r\n\r\n');
      const far = await upstream.next();
      far.send('220 hello');
      await expectNext(client, 'HTTP/1.1 200 Connection Established\r\n\r\n');
      expect(await client.take(9)).to.equal('220 hello');
    });

    it('leaves connections alone that were kept for requests, and is not kept itself', async () => {
      const { client, upstream, outbound } = wires;
      client.send(get);
      const kept = await upstream.next();
      await expectNext(kept, get);
      kept.send(ok);
      await expectNext(client, ok);
      const other = await wires.dial(outbound);
      other.send('CONNECT reviews:9080 HTTP/1.1\r\nHost: reviews:9080\r\n\r\n');
      const far = await upstream.next();
      await expectNext(other, 'HTTP/1.1 200 Connection Established\r\n\r\n');
      other.end();
      far.end(await far.takeAll());
      await other.closed();
      client.send(get);
      await expectNext(kept, get);
    });

    for (const { what, authority, status } of [
      { what: 'a port that the service does not have', authority: 'reviews:9', status: 404 },
      { what: 'what is no host', authority: 'reviews:x', status: 400 },
      { what: 'where nobody listens', authority: undefined, status: 503 },
    ]) {
      it(`is refused to ${what}, and the connection goes on`, async () => {
        const { client, upstream, world } = wires;
        const target = authority ?? `127.0.0.1:${await world.deadPort()}`;
        client.send(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
        const head = await client.takeHead();
        expect(head).to.match(new RegExp(`^HTTP/1.1 ${status} `));
        await client.take(Number(/content-length: (\d+)/.exec(head)?.[1]));
        client.send(get);
        const wire = await upstream.next();
        expect(withoutIds(await wire.takeHead())).to.equal(get);
      });
    }
  });
});
