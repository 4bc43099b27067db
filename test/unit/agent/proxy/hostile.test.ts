/** Clients and upstreams that mean harm, or know no better: what they get, and that nobody else gets anything of it. */
import { expect } from 'chai';
import { expectNext, useWires, type Wire } from './wire.ts';

const get = 'GET / HTTP/1.1\r\nHost: reviews\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';

describe('an outbound among enemies', () => {
  const wires = useWires();

  /** A request that gets its own answer, over a new connection to the upstream or over this one. */
  async function expectAnswer(client: Wire, over: Wire | 'a new one'): Promise<void> {
    client.send(get);
    const wire = over === 'a new one' ? await wires.upstream.next() : over;
    await expectNext(wire, get);
    wire.send(ok);
    await expectNext(client, ok);
  }

  /** An answer of the agent itself: status, reason and sentence. */
  async function takeAnswer(client: Wire) {
    const head = await client.takeHead();
    return {
      status: Number(head.split(' ')[1]),
      reason: /x-sluice-reason: (.*)\r\n/.exec(head)?.[1],
      sentence: (await client.take(Number(/content-length: (\d+)/.exec(head)?.[1]))).trim(),
    };
  }

  describe('says 502 to a response that is none, and closes the connection that it came by', () => {
    for (const { what, section, response, why } of [
      { what: 'bytes that are no HTTP', section: '9112, 4', response: 'hello\r\n\r\n', why: 'the status line' },
      { what: 'HTTP/2', section: '9110, 2.5', response: 'HTTP/2.0 200 OK\r\n\r\n', why: 'the status line' },
      { what: 'a bare LF', section: '9112, 2.2', response: 'HTTP/1.1 200 OK\n\n', why: 'a line does not end' },
      {
        what: 'a bare CR',
        section: '9112, 2.2',
        response: 'HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n',
        why: 'a CR stands',
      },
      {
        what: 'a folded line',
        section: '9112, 5.2',
        response: 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n',
        why: 'a header line is folded',
      },
      {
        what: 'a space before a colon',
        section: '9112, 5.1',
        response: 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n',
        why: 'the name of a header',
      },
      {
        what: 'NUL in a value',
        section: '9110, 5.5',
        response: 'HTTP/1.1 200 OK\r\nA: \0\r\n\r\n',
        why: 'the value of a header',
      },
      {
        what: 'two lengths',
        section: '9112, 6.3',
        response: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
        why: 'Content-Length is given more than once',
      },
      {
        what: 'a length and chunks',
        section: '9112, 6.1',
        response: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        why: 'Content-Length and Transfer-Encoding stand side by side',
      },
      {
        what: 'an unknown coding',
        section: '9112, 6.1',
        response: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
        why: 'Transfer-Encoding is not "chunked" alone',
      },
      {
        what: 'a chunk of no size',
        section: '9112, 7.1',
        response: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
        why: 'the size of a chunk',
      },
      {
        what: 'a trailer that frames',
        section: '9110, 6.5.1',
        response: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 2\r\n\r\n',
        why: 'a trailer has a name',
      },
      {
        what: 'a head of 65 KiB',
        section: '6585, 5',
        response: `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(65 * 1024)}\r\n\r\n`,
        why: 'the head is too large',
      },
      {
        what: '257 headers',
        section: '6585, 5',
        response: `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(257)}\r\n`,
        why: 'the head has too many headers',
      },
      {
        what: '33 interim responses',
        section: '9110, 15.2',
        response: 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(33),
        why: 'the status line',
      },
      {
        what: 'a change of protocols that nobody asked for',
        section: '9110, 15.2.2',
        response: `HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n${evil}`,
        why: 'the upstream switched protocols unasked',
      },
    ]) {
      it(`${what} (RFC ${section})`, async () => {
        const { client, upstream } = wires;
        client.send(get);
        const wire = await upstream.next();
        await expectNext(wire, get);
        // What is behind it would be the answer to the next request, if it were kept.
        wire.send(response + evil);
        for (let interim = response.split('100 Continue').length - 2; interim > 0; interim--) await client.takeHead();
        const { sentence, ...answer } = await takeAnswer(client);
        expect(answer).to.deep.equal({ status: 502, reason: 'upstream-malformed' });
        expect(sentence).to.include(why);
        expect(await wire.takeAll()).to.equal('');
        await expectAnswer(client, 'a new one');
      });
    }

    it('in whatever pieces it comes', async () => {
      const { client, upstream } = wires;
      for (const pieces of [
        ['HTTP/1.1 200 OK\r', '\n\n'],
        ['H', 'i'],
        ['HTTP/1.1 200 OK\r\nA', ' : b\r\n'],
        ['HTTP/1.1 200 OK', '\n'],
      ]) {
        client.send(get);
        const wire = await upstream.next();
        await expectNext(wire, get);
        for (const piece of pieces) {
          wire.send(piece);
          await new Promise(setImmediate);
        }
        expect(await takeAnswer(client)).to.deep.include({ status: 502, reason: 'upstream-malformed' });
      }
    });
  });

  describe('breaks off an answer', () => {
    for (const { what, begin, rest } of [
      { what: 'whose chunks go wrong', begin: '5\r\nhello\r\n', rest: 'x\r\n' },
      { what: 'whose chunk is longer than it says', begin: '5\r\nhello\r\n', rest: '2\r\nabc\r\n' },
      { what: 'whose trailers are forbidden', begin: '5\r\nhello\r\n0\r\n', rest: 'Host: a\r\n\r\n' },
      { what: 'whose trailers split it', begin: '5\r\nhello\r\n0\r\n', rest: 'A: b\nC: d\r\n\r\n' },
    ]) {
      it(`${what}, so that it looks complete to nobody (RFC 9112, 8)`, async () => {
        const { client, upstream, world } = wires;
        client.send(get + get);
        const wire = await upstream.next();
        await expectNext(wire, get);
        const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
        wire.send(head + begin);
        await expectNext(client, head + begin);
        wire.send(rest + evil);
        const remaining = await client.takeAll();
        expect(`${begin}${remaining}`).to.not.include('0\r\n\r\n').and.to.not.include('evil');
        expect(await wire.takeAll()).to.equal('');
        expect(world.statistics.snapshot()).to.deep.include({ brokenOff: 1, active: 0 });
      });
    }

    it('whose connection ends within a length, and one to HTTP/1.0 in a way that it can tell from an end', async () => {
      const { upstream, outbound } = wires;
      for (const request of [get, get.replace('1.1', '1.0')]) {
        const client = await wires.dial(outbound);
        client.send(request);
        const wire = await upstream.next();
        await wire.takeHead();
        wire.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel');
        await client.takeAll();
        // HTTP/1.0 knows no chunks: an end in good order would be the end of the answer.
        expect(client.hasEnded).to.equal(request === get);
      }
    });
  });

  describe('gives no response to a request that it was not meant for', () => {
    it('when two come at once (RFC 9112, 9.2)', async () => {
      const { client, upstream } = wires;
      client.send(get);
      const wire = await upstream.next();
      await expectNext(wire, get);
      wire.send(ok + evil);
      await expectNext(client, ok);
      expect(await wire.takeAll()).to.equal('');
      await expectAnswer(client, 'a new one');
    });

    for (const { what, late } of [
      { what: 'one more', late: evil },
      { what: 'one octet', late: '\n' },
      {
        what: 'a 408, as some servers say good-bye',
        late: 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n',
      },
    ]) {
      it(`when ${what} comes over an idle connection (RFC 9112, 9.2)`, async () => {
        const { client, upstream } = wires;
        await expectAnswerOver(client);
        const wire = kept;
        wire?.send(late);
        expect(await wire?.takeAll()).to.equal('');
        await expectAnswer(client, 'a new one');
        expect(upstream.connections).to.equal(2);
      });
    }

    it('when an answer is longer than it says', async () => {
      const { client, upstream } = wires;
      client.send(get);
      const wire = await upstream.next();
      await expectNext(wire, get);
      wire.send(`${ok}, and more`);
      await expectNext(client, ok);
      await expectAnswer(client, 'a new one');
      expect(client.received).to.equal('');
    });

    for (const { what, method, response } of [
      { what: 'HEAD', method: 'HEAD', response: ok },
      {
        what: 'a request that is answered with 204',
        method: 'GET',
        response: 'HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok',
      },
      {
        what: 'one that is answered with 304',
        method: 'GET',
        response: 'HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      },
    ]) {
      it(`when ${what} is answered with a body (RFC 9112, 6.3)`, async () => {
        const { client, upstream } = wires;
        client.send(get.replace('GET', method));
        const wire = await upstream.next();
        await wire.takeHead();
        wire.send(response);
        expect(await client.takeHead()).to.include(response.slice(0, 12));
        expect(await wire.takeAll()).to.equal('');
        await expectAnswer(client, 'a new one');
      });
    }

    /** The connection that the last exchange left. */
    let kept: Wire | undefined;

    async function expectAnswerOver(client: Wire): Promise<void> {
      client.send(get);
      kept = await wires.upstream.next();
      await expectNext(kept, get);
      kept.send(ok);
      await expectNext(client, ok);
    }
  });

  describe('does not let text become a line of a head', () => {
    for (const { what, request, got } of [
      {
        what: 'percent-encoded line ends of a path',
        request: 'GET /%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: reviews\r\n\r\n',
        got: 'GET /%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: reviews\r\n\r\n',
      },
      {
        what: 'of an URL',
        request: 'GET http://reviews/%0d%0a?%0d%0a HTTP/1.1\r\nHost: reviews\r\n\r\n',
        got: 'GET /%0d%0a?%0d%0a HTTP/1.1\r\nhost: reviews\r\n\r\n',
      },
      {
        what: 'octets that become line ends when they are cut to 7 bits, or read as UTF-8',
        request: 'GET / HTTP/1.1\r\nHost: reviews\r\nA: \x8d\x8a\xc4\x8d\xc4\x8a\xe5\x98\x8d\xe5\x98\x8aB: c\r\n\r\n',
        got: 'GET / HTTP/1.1\r\nHost: reviews\r\nA: \x8d\x8a\xc4\x8d\xc4\x8a\xe5\x98\x8d\xe5\x98\x8aB: c\r\n\r\n',
      },
    ]) {
      it(`of requests: ${what} (RFC 9110, 5.5)`, async () => {
        wires.client.send(request);
        await expectNext(await wires.upstream.next(), got);
      });
    }

    it('of its own answers, which quote what they refuse (RFC 9110, 17)', async () => {
      const { client } = wires;
      client.send('GET / HTTP/1.1\r\nHost: a%0d%0aSet-Cookie:b\r\n\r\n');
      const head = await client.takeHead();
      expect(head).to.match(/^HTTP\/1.1 400 /);
      expect(head.toLowerCase()).to.not.include('set-cookie');
    });
  });

  describe('has no endless patience', () => {
    it('with a head that does not arrive (408), however it trickles in', async () => {
      const { client, clock, world } = wires;
      const head = `GET / HTTP/1.1\r\nHost: reviews\r\n${'A: b\r\n'.repeat(100)}`;
      // The time begins when the first octet is read, however busy the machine is.
      client.send(head.slice(0, 1));
      await untilRead();
      const before = world.statistics.snapshot();
      clock.pass(1_000);
      for (const octet of head.slice(1, 59)) {
        client.send(octet);
        await new Promise((resolve) => setTimeout(resolve, 1));
        clock.pass(1_000);
      }
      clock.pass(1_000);
      expect(await takeAnswer(client)).to.deep.equal({
        status: 408,
        reason: 'head-too-slow',
        sentence: 'the head of the request did not arrive in time',
      });
      await client.takeAll();
      const refused = { ...before.refused, 'head-too-slow': 1 };
      expect(world.statistics.snapshot()).to.deep.include({ refused, active: 0 });
    });

    it('with a second head, whose time begins with its first octet', async () => {
      const { client, upstream, clock } = wires;
      client.send(get);
      const wire = await upstream.next();
      await expectNext(wire, get);
      clock.pass(1_000_000);
      wire.send(ok);
      await expectNext(client, ok);
      clock.pass(59_000);
      client.send('GET / ');
      await untilRead();
      clock.pass(59_999);
      client.send('HTTP/1.1\r\nHost: reviews\r\n');
      await untilRead();
      clock.pass(1);
      expect((await takeAnswer(client)).status).to.equal(408);
    });

    it('with a client that asks for nothing: after two minutes its connection is closed, and nothing is said', async () => {
      const { client, clock } = wires;
      clock.pass(119_999);
      await expectAnswer(client, 'a new one');
      clock.pass(119_999);
      expect(client.hasEnded).to.equal(false);
      clock.pass(1);
      expect(await client.takeAll()).to.equal('');
    });

    it('with empty lines, which are no request', async () => {
      const { client, clock } = wires;
      client.send('\r\n');
      await untilRead();
      clock.pass(60_000);
      client.send('\r');
      await untilRead();
      client.send('\n');
      await untilRead();
      expect(client.hasEnded).to.equal(false);
      clock.pass(120_000);
      expect(await client.takeAll()).to.equal('');
    });

    it('with connections to upstreams that nobody needs: after 4 s they are closed', async () => {
      const { client, upstream, clock } = wires;
      client.send(get);
      const wire = await upstream.next();
      await expectNext(wire, get);
      wire.send(ok);
      await expectNext(client, ok);
      clock.pass(3_999);
      await expectAnswer(client, wire);
      clock.pass(3_999);
      expect(wire.hasEnded).to.equal(false);
      clock.pass(1);
      expect(await wire.takeAll()).to.equal('');
      await expectAnswer(client, 'a new one');
    });

    it('with a client that does not read its last answer and does not go', async () => {
      const { client, clock, outbound } = wires;
      client.send('x\r\n\r\n');
      await takeAnswer(client);
      expect(await client.takeAll()).to.equal('');
      expect(outbound.connections).to.equal(1);
      clock.pass(2_000);
      while (outbound.connections > 0) await new Promise(setImmediate);
    });

    /** What was sent has been read by the agent, which answers nothing: a request over another connection passes it. */
    async function untilRead(): Promise<void> {
      const other = await wires.dial(wires.outbound);
      other.send('x\r\n\r\n');
      await other.takeHead();
      other.destroy();
    }
  });
});
