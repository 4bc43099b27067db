/** What goes over the wire on both sides of an outbound, byte by byte, by the sections of RFC 9110 and 9112. */
import { expect } from 'chai';
import { expectNext, useWires, type Wire, withoutIds } from './wire.ts';

const get = 'GET / HTTP/1.1\r\nHost: reviews\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A request whose head has these lines too. */
function request(line: string, more = '', body = ''): string {
  return `${line}\r\nHost: reviews\r\n${more}\r\n${body}`;
}

describe('an outbound over the wire', () => {
  const wires = useWires();

  /** One exchange more, which goes over this connection or else over a new one. */
  async function expectAnother(over: Wire | 'a new one'): Promise<void> {
    const { client, upstream } = wires;
    const before = upstream.connections;
    client.send(get);
    const wire = over === 'a new one' ? await upstream.next() : over;
    await expectNext(wire, get);
    wire.send(ok);
    await expectNext(client, ok);
    expect(upstream.connections - before).to.equal(over === 'a new one' ? 1 : 0);
  }

  describe('passes on a request', () => {
    for (const { what, section, sent, got } of [
      { what: 'with a length', section: '9112, 6.3', sent: request('PUT /a HTTP/1.1', 'Content-Length: 2\r\n', 'hi') },
      {
        what: 'with chunks, without their extensions',
        section: '9112, 7.1.1',
        sent: request('PUT /a HTTP/1.1', 'Transfer-Encoding: chunked\r\n', '2;a="b"\r\nhi\r\n0;c\r\n\r\n'),
        got: request('PUT /a HTTP/1.1', 'Transfer-Encoding: chunked\r\n', '2\r\nhi\r\n0\r\n\r\n'),
      },
      {
        what: 'with trailers',
        section: '9112, 7.1.2',
        sent: request(
          'PUT /a HTTP/1.1',
          'Transfer-Encoding: chunked\r\nTrailer: A\r\n',
          '2\r\nhi\r\n0\r\nA: b\r\n\r\n',
        ),
      },
      {
        what: 'GET with a body',
        section: '9110, 9.3.1',
        sent: request('GET / HTTP/1.1', 'Content-Length: 2\r\n', 'hi'),
      },
      { what: 'POST without one', section: '9112, 6.3', sent: request('POST / HTTP/1.1') },
      { what: 'of a method that nobody knows', section: '9110, 9.1', sent: request('BREW /pot HTTP/1.1') },
      { what: 'about the server itself', section: '9112, 3.2.4', sent: request('OPTIONS * HTTP/1.1') },
      { what: 'behind an empty line', section: '9112, 2.2', sent: `\r\n${get}`, got: get },
      {
        what: 'to an URL, which outranks the Host',
        section: '9112, 3.2.2',
        sent: 'GET http://reviews/a?b HTTP/1.1\r\nHost: elsewhere\r\nA: b\r\n\r\n',
        got: 'GET /a?b HTTP/1.1\r\nhost: reviews\r\nA: b\r\n\r\n',
      },
      {
        what: 'to an URL without path',
        section: '9112, 3.2.1',
        sent: 'GET http://reviews HTTP/1.1\r\nHost: reviews\r\n\r\n',
        got: 'GET / HTTP/1.1\r\nhost: reviews\r\n\r\n',
      },
      {
        what: 'to the server of an URL',
        section: '9112, 3.2.4',
        sent: 'OPTIONS http://reviews HTTP/1.1\r\nHost: reviews\r\n\r\n',
        got: 'OPTIONS * HTTP/1.1\r\nhost: reviews\r\n\r\n',
      },
      {
        what: 'without what belongs to its connection, but for what may be no part of that',
        section: '9110, 7.6.1',
        sent: request(
          'GET / HTTP/1.1',
          'Connection: keep-alive, A, Cookie\r\nA: b\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: c\r\nProxy-Authorization: d\r\nCookie: e\r\n',
        ),
        got: request('GET / HTTP/1.1', 'Cookie: e\r\n'),
      },
      {
        what: 'with lines as they came',
        section: '9110, 7.7',
        sent: request('GET / HTTP/1.1', 'a:b\r\nA: \t\xe9  c\t \r\nEmpty:\r\na:d\r\n'),
      },
    ]) {
      it(`${what} (RFC ${section})`, async () => {
        const { client, upstream } = wires;
        client.send(sent);
        const wire = await upstream.next();
        await expectNext(wire, got ?? sent);
        wire.send(ok);
        await expectNext(client, ok);
        await expectAnother(wire);
      });
    }
  });

  describe('passes on a response', () => {
    for (const { what, section, method = 'GET', response, got, ends = false, keeps = true } of [
      { what: 'with a length', section: '9112, 6.3', response: ok, got: ok },
      {
        what: 'with chunks, without their extensions',
        section: '9112, 7.1.1',
        response: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0;c\r\n\r\n',
        got: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      },
      {
        what: 'with trailers',
        section: '9112, 7.1.2',
        response: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n',
        got: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n',
      },
      {
        what: 'that ends with its connection, in chunks',
        section: '9112, 6.3',
        response: 'HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello world',
        got: 'HTTP/1.1 200 OK\r\nA: b\r\ntransfer-encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n',
        ends: true,
      },
      {
        what: 'that ends with its connection, without a body',
        section: '9112, 6.3',
        response: 'HTTP/1.1 200 OK\r\n\r\n',
        got: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
        ends: true,
      },
      {
        what: 'of HTTP/1.0',
        section: '9110, 2.5',
        response: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
        got: ok,
        keeps: false,
      },
      {
        what: 'of HTTP/1.0 that keeps its connection',
        section: '9112, 9.3',
        response: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
        got: ok,
      },
      {
        what: 'to HEAD, with the length that it would have',
        section: '9112, 6.3',
        method: 'HEAD',
        response: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
        got: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
      },
      {
        what: 'to HEAD, without the chunks that it would have',
        section: '9112, 6.1',
        method: 'HEAD',
        response: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n',
        got: 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n',
      },
      {
        what: 'to HEAD that says nothing of its length',
        section: '9112, 6.3',
        method: 'HEAD',
        response: 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n',
        got: 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n',
      },
      {
        what: 'without content, and without the length that it must not have',
        section: '9110, 8.6',
        response: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nA: b\r\n\r\n',
        got: 'HTTP/1.1 204 No Content\r\nA: b\r\n\r\n',
      },
      {
        what: 'that nothing was modified, with its length',
        section: '9110, 15.4.5',
        response: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n',
        got: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n',
      },
      {
        what: 'behind interim ones, which have no body',
        section: '9110, 15.2',
        response: `HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n${ok}`,
        got: `HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok}`,
      },
      {
        what: 'without a reason',
        section: '9112, 4',
        response: 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n',
        got: 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
      },
      {
        what: 'of a status that nobody knows, with octets beyond ASCII',
        section: '9110, 15',
        response: 'HTTP/1.1 299 Voil\xe0\r\nContent-Length: 0\r\nA: \xe9\r\n\r\n',
        got: 'HTTP/1.1 299 Voil\xe0\r\nContent-Length: 0\r\nA: \xe9\r\n\r\n',
      },
      {
        what: 'without what belongs to its connection',
        section: '9110, 7.6.1',
        response:
          'HTTP/1.1 200 OK\r\nConnection: close, A\r\nA: b\r\nKeep-Alive: 5\r\nProxy-Authenticate: c\r\nUpgrade: d\r\nContent-Length: 2\r\n\r\nok',
        got: ok,
        keeps: false,
      },
    ]) {
      it(`${what} (RFC ${section})`, async () => {
        const { client, upstream } = wires;
        const sent = get.replace('GET', method);
        client.send(sent);
        const wire = await upstream.next();
        await expectNext(wire, sent);
        if (ends) wire.end(response);
        else wire.send(response);
        expect(await client.take(got.length)).to.equal(got);
        await expectAnother(keeps && !ends ? wire : 'a new one');
      });
    }
  });

  describe('speaks HTTP/1.0 with those who do', () => {
    const oldGet = 'GET / HTTP/1.0\r\n\r\n';
    const asked = 'GET http://reviews/ HTTP/1.0\r\n';
    const keepAlive = 'Connection: keep-alive\r\n';

    for (const { what, section, sent, response, ends = false, got } of [
      {
        what: 'closes when it has answered',
        section: '9112, 9.3',
        sent: `${asked}\r\n`,
        response: ok,
        got: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: close\r\n\r\nok',
      },
      {
        what: 'takes the chunks out, and ends by closing',
        section: '9112, 6.1',
        sent: `${asked}${keepAlive}\r\n`,
        response: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nok\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n',
        got: 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok!',
      },
      {
        what: 'passes on what ends by closing as it is',
        section: '9112, 6.3',
        sent: `${asked}${keepAlive}\r\n`,
        response: 'HTTP/1.1 200 OK\r\n\r\nhello',
        ends: true,
        got: 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello',
      },
      {
        what: 'keeps interim responses to itself',
        section: '9110, 15.2',
        sent: `${asked}\r\n`,
        response: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok}`,
        got: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: close\r\n\r\nok',
      },
      {
        what: 'gives the answers that it makes itself',
        section: '9112, 9.3',
        sent: oldGet,
        response: '',
        got: 'HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 75\r\nx-sluice-reason: bad-request\r\nconnection: close\r\n\r\nthe request has no Host header, so it does not say which service it is for\n',
      },
    ]) {
      it(`${what} (RFC ${section})`, async () => {
        const { client, upstream } = wires;
        client.send(sent);
        if (response !== '') {
          const wire = await upstream.next();
          await expectNext(wire, 'GET / HTTP/1.1\r\nhost: reviews\r\n\r\n');
          if (ends) wire.end(response);
          else wire.send(response);
        }
        expect(await client.takeAll()).to.equal(got);
      });
    }

    it('keeps the connection if asked to, and says so (RFC 9112, 9.3)', async () => {
      const { client, upstream } = wires;
      let wire: Wire | undefined;
      for (let n = 0; n < 2; n++) {
        client.send(`${asked}${keepAlive}\r\n`);
        wire ??= await upstream.next();
        await expectNext(wire, 'GET / HTTP/1.1\r\nhost: reviews\r\n\r\n');
        wire.send(ok);
        await expectNext(client, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: keep-alive\r\n\r\nok');
      }
      await expectAnother(wire ?? client);
    });
  });

  describe('lets the upstream decide whether a body is wanted', () => {
    const put = request('PUT / HTTP/1.1', 'Expect: 100-continue\r\nContent-Length: 5\r\n');

    it('and sends it when it is (RFC 9110, 10.1.1)', async () => {
      const { client, upstream } = wires;
      client.send(put);
      const wire = await upstream.next();
      await expectNext(wire, put);
      wire.send('HTTP/1.1 100 Continue\r\n\r\n');
      await expectNext(client, 'HTTP/1.1 100 Continue\r\n\r\n');
      client.send('hello');
      expect(await wire.take(5)).to.equal('hello');
      wire.send(ok);
      await expectNext(client, ok);
      await expectAnother(wire);
    });

    it('and closes when it is not: nobody can tell whether it comes (RFC 9110, 10.1.1)', async () => {
      const { client, upstream } = wires;
      client.send(put);
      const wire = await upstream.next();
      await expectNext(wire, put);
      wire.send('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n');
      expect(await client.takeAll()).to.equal('HTTP/1.1 417 No\r\nContent-Length: 0\r\nconnection: close\r\n\r\n');
      // Nor does the upstream get a request where the body should be.
      expect(await wire.takeAll()).to.equal('');
    });

    it('and closes when it refuses the request itself', async () => {
      const { client } = wires;
      client.send(put.replace('Host: reviews', 'Host: reviews:9'));
      const answer = await client.takeAll();
      expect(answer)
        .to.match(/^HTTP\/1.1 404 Not Found\r\n/)
        .and.include('\r\nconnection: close\r\n');
    });
  });

  describe('takes an answer before the request is complete', () => {
    const put = request('PUT / HTTP/1.1', 'Content-Length: 10\r\n');

    it('passes it on, reads what is left of the body, and goes on (RFC 9112, 9.3)', async () => {
      const { client, upstream } = wires;
      client.send(`${put}hello`);
      const wire = await upstream.next();
      await expectNext(wire, `${put}hello`);
      wire.send('HTTP/1.1 413 Too much\r\nContent-Length: 2\r\n\r\nno');
      await expectNext(client, 'HTTP/1.1 413 Too much\r\nContent-Length: 2\r\n\r\nno');
      // Whoever is not sent all of a request cannot be sent another one.
      expect(await wire.takeAll()).to.equal('');
      client.send(`world${get}`);
      const next = await upstream.next();
      await expectNext(next, get);
      next.send(ok);
      await expectNext(client, ok);
    });

    it('sends the rest of the body while the rest of the answer comes (RFC 9112, 9.5)', async () => {
      const { client, upstream } = wires;
      client.send(put);
      const wire = await upstream.next();
      await expectNext(wire, put);
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
      await expectNext(client, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
      for (const part of ['hel', 'lo wo', 'rl']) {
        client.send(part);
        expect(await wire.take(part.length)).to.equal(part);
        wire.send(part);
        expect(await client.take(part.length)).to.equal(part);
      }
      await expectAnother(wire);
    });

    it('gives up reading the body after 1 MiB', async () => {
      const { client, upstream } = wires;
      const long = request('PUT / HTTP/1.1', 'Content-Length: 100000000\r\n');
      client.send(long);
      const wire = await upstream.next();
      await expectNext(wire, long);
      wire.send('HTTP/1.1 413 Too much\r\nContent-Length: 0\r\n\r\n');
      await expectNext(client, 'HTTP/1.1 413 Too much\r\nContent-Length: 0\r\n\r\n');
      client.send('x'.repeat(1_100_000));
      expect(await client.takeAll()).to.equal('');
    });

    it('gives up waiting for it after two minutes', async () => {
      const { client, upstream, clock } = wires;
      client.send(put);
      const wire = await upstream.next();
      await expectNext(wire, put);
      wire.send('HTTP/1.1 413 Too much\r\nContent-Length: 0\r\n\r\n');
      await expectNext(client, 'HTTP/1.1 413 Too much\r\nContent-Length: 0\r\n\r\n');
      expect(await wire.takeAll()).to.equal('');
      clock.pass(120_000);
      expect(await client.takeAll()).to.equal('');
    });
  });

  describe('answers several requests that come at once', () => {
    const requests = ['/1', '/2', '/3'].map((path) => get.replace('/', path));
    const answers = ['1', '2', '3'].map((body) => ok.replace('ok', `#${body}`));

    it('one after another, in their order (RFC 9112, 9.3.2)', async () => {
      const { client, upstream } = wires;
      client.send(requests.join(''));
      const wire = await upstream.next();
      for (const [index, each] of requests.entries()) {
        await expectNext(wire, each);
        // The next one is not sent before this one is answered.
        expect(wire.received).to.equal('');
        wire.send(answers[index] ?? '');
        await expectNext(client, answers[index] ?? '');
      }
      expect(upstream.connections).to.equal(1);
    });

    it('with bodies between them, wherever they are cut', async () => {
      const { client, upstream } = wires;
      const sent = [
        request('PUT /1 HTTP/1.1', 'Content-Length: 5\r\n', 'hello'),
        request('PUT /2 HTTP/1.1', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
        request('HEAD /3 HTTP/1.1'),
        get,
      ];
      const all = sent.join('');
      for (let at = 0; at < all.length; at += 7) client.send(all.slice(at, at + 7));
      const wire = await upstream.next();
      for (const each of sent) {
        await expectNext(wire, each);
        wire.send(each.startsWith('HEAD') ? ok.slice(0, -2) : ok);
        await expectNext(client, each.startsWith('HEAD') ? ok.slice(0, -2) : ok);
      }
    });

    it('also when its own answers are among them', async () => {
      const { client, upstream } = wires;
      client.send(`${requests[0]}${get.replace('reviews', 'reviews:9')}${requests[2]}`);
      const wire = await upstream.next();
      await expectNext(wire, requests[0] ?? '');
      wire.send(ok);
      await expectNext(client, ok);
      expect(await client.takeUntil('9080\n')).to.match(/^HTTP\/1.1 404 Not Found\r\n/);
      await expectNext(wire, requests[2] ?? '');
      wire.send(ok);
      await expectNext(client, ok);
    });

    it('and nothing behind one that says close (RFC 9112, 9.6)', async () => {
      const { client, upstream } = wires;
      client.send(request('GET / HTTP/1.1', 'Connection: close\r\n') + get);
      const wire = await upstream.next();
      await expectNext(wire, get);
      wire.send(ok);
      expect(await client.takeAll()).to.equal(ok.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
      expect(wire.received).to.equal('');
    });

    it('and nothing behind one that is malformed (RFC 9112, 9.6)', async () => {
      const { client, upstream } = wires;
      client.send(`${get}GET / HTTP/1.1\r\nHost : reviews\r\n\r\n${get}`);
      const wire = await upstream.next();
      await expectNext(wire, get);
      wire.send(ok);
      await expectNext(client, ok);
      const [head = '', body = ''] = (await client.takeAll()).split('\r\n\r\n');
      expect(head).to.match(/^HTTP\/1.1 400 Bad Request\r\n/);
      expect(body).to.match(/^[^\n]*RFC 9112, 5.1\)\n$/);
      expect(wire.received).to.equal('');
    });

    it('while the client reads nothing, and does not take more than it can send', async () => {
      const { client, upstream } = wires;
      client.pause();
      const body = 'x'.repeat(1_000_000);
      const count = 20;
      client.send(get.repeat(count));
      const wire = await upstream.next();
      let answered = 0;
      const serving = (async () => {
        for (; answered < count; answered++) {
          await expectNext(wire, get);
          wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        }
      })();
      // What the sockets on the way hold is a few answers; the next request is not sent before the client reads.
      for (let before = -1; before !== answered; await new Promise((resolve) => setTimeout(resolve, 50)))
        before = answered;
      expect(answered).to.be.below(count);
      client.resume();
      await serving;
      for (let n = 0; n < count; n++) {
        await client.takeHead();
        await client.take(body.length);
      }
    });
  });

  describe('answers a client that sends nothing more', () => {
    it('to its request (RFC 9112, 9.6)', async () => {
      const { client, upstream, clock } = wires;
      client.end(get);
      const wire = await upstream.next();
      await expectNext(wire, get);
      clock.pass(4_000);
      wire.send(ok);
      expect((await client.takeAll()).replace('connection: close\r\n', '')).to.equal(ok);
    });

    it('to each of its requests, and then closes', async () => {
      const { client, upstream } = wires;
      const put = request('PUT / HTTP/1.1', 'Transfer-Encoding: chunked\r\n', '2\r\nhi\r\n0\r\n\r\n');
      client.end(get + put + get);
      const wire = await upstream.next();
      for (const each of [get, put, get]) {
        await expectNext(wire, each);
        wire.send(ok);
      }
      expect((await client.takeAll()).replace('connection: close\r\n', '')).to.equal(ok + ok + ok);
    });

    for (const { what, behind } of [
      { what: 'half a head', behind: 'GET / HTTP/1.1\r\nHost:' },
      { what: 'an empty line', behind: '\r\n' },
    ]) {
      it(`to its requests, not to ${what} behind them`, async () => {
        const { client, upstream } = wires;
        client.end(get + behind);
        const wire = await upstream.next();
        await expectNext(wire, get);
        wire.send(ok);
        expect((await client.takeAll()).replace('connection: close\r\n', '')).to.equal(ok);
        expect(wires.world.statistics.snapshot()).to.deep.include({ active: 0, refused: {} });
      });
    }

    it('by closing, when the body is not complete: the upstream must not take it for whole', async () => {
      const { client, upstream } = wires;
      const put = request('PUT / HTTP/1.1', 'Content-Length: 5\r\n', 'hel');
      client.end(put);
      const wire = await upstream.next();
      expect(withoutIds(await wire.takeAll())).to.equal(put);
      await client.closed();
      expect(wires.world.statistics.snapshot()).to.deep.include({ clientGone: 1, active: 0 });
    });

    it('by closing at once, when it has asked for nothing', async () => {
      wires.client.end();
      expect(await wires.client.takeAll()).to.equal('');
    });

    it('and reads slowly, to the last octet', async () => {
      const { client, upstream, clock } = wires;
      client.pause();
      client.end(get);
      const wire = await upstream.next();
      await expectNext(wire, get);
      const body = 'x'.repeat(8_000_000);
      wire.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      // Longer than the engine waits for a client that reads nothing more of its last answer.
      for (let read = 0; read < body.length; ) {
        client.resume();
        read += (await client.take(Math.min(1_000_000, body.length - read))).length;
        client.pause();
        clock.pass(3_000);
      }
      client.resume();
      const rest = await client.takeAll();
      expect(rest.length).to.be.within(1, 200);
    });
  });

  it('serves many clients at once over as many connections as it needs', async () => {
    const { upstream, outbound } = wires;
    const clients = await Promise.all(Array.from({ length: 20 }, () => wires.dial(outbound)));
    for (const each of clients) each.send(get);
    const upstreams = await Promise.all(clients.map(() => upstream.next()));
    for (const wire of upstreams) {
      await expectNext(wire, get);
      wire.send(ok);
    }
    for (const each of clients) await expectNext(each, ok);
    expect(upstream.connections).to.equal(20);
  });
});
