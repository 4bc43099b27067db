import { expect } from 'chai';
import { ByteWriter } from '../../../../agent/http1/byte-writer.ts';
import { headerKind } from '../../../../agent/http1/header-kind.ts';
import {
  type HeaderChanges,
  ofRequestConnection,
  ofResponseConnection,
  passFields,
  passRequestLine,
  passStatusLine,
  withheld,
} from '../../../../agent/http1/pass-head.ts';
import { RequestHead } from '../../../../agent/http1/request-head.ts';
import { type Asked, ResponseHead } from '../../../../agent/http1/response-head.ts';

function requestHead(text: string): RequestHead {
  const head = new RequestHead();
  const bytes = Buffer.from(`....${text}`, 'latin1');
  expect(head.parse(bytes, 4, bytes.length)).to.equal(bytes.length);
  return head;
}

function responseHead(text: string, asked: Asked = 'other'): ResponseHead {
  const head = new ResponseHead();
  const bytes = Buffer.from(`....${text}`, 'latin1');
  expect(head.parse(bytes, 4, bytes.length, asked)).to.equal(bytes.length);
  return head;
}

function written(write: (writer: ByteWriter) => void): string {
  // So small that it has to grow.
  const writer = new ByteWriter(1);
  write(writer);
  return writer.bytes.toString('latin1', 0, writer.length);
}

const host = 'Host: a\r\n';

/** Header lines of a request, without those of `host`. */
function passedFields(lines: string, changes?: HeaderChanges, kinds = ofRequestConnection): string {
  const head = requestHead(`GET / HTTP/1.1\r\n${host}${lines}\r\n`);
  const passed = written((writer) => passFields(writer, head, withheld(...kinds), changes));
  expect(passed.slice(0, host.length)).to.equal(host);
  return passed.slice(host.length);
}

describe('a head on its way', () => {
  describe('has a request line', () => {
    for (const { what, section, line, target, want } of [
      { what: 'as it came', section: '9112, 3.2.1', line: 'GET /a?b HTTP/1.1', want: 'GET /a?b HTTP/1.1' },
      { what: 'in version 1.1 also from 1.0', section: '9110, 2.5', line: 'PUT /a HTTP/1.0', want: 'PUT /a HTTP/1.1' },
      {
        what: 'with a path of an URL',
        section: '9112, 3.2.2',
        line: 'GET http://b/c?d HTTP/1.1',
        want: 'GET /c?d HTTP/1.1',
      },
      {
        what: 'with "/" of an URL without',
        section: '9112, 3.2.1',
        line: 'GET http://b HTTP/1.1',
        want: 'GET / HTTP/1.1',
      },
      {
        what: 'with "/" before a query',
        section: '9112, 3.2.1',
        line: 'GET http://b?c HTTP/1.1',
        want: 'GET /?c HTTP/1.1',
      },
      {
        what: 'with "*" of an URL without path',
        section: '9112, 3.2.4',
        line: 'OPTIONS http://b HTTP/1.1',
        want: 'OPTIONS * HTTP/1.1',
      },
      {
        what: 'with "/" of OPTIONS with a query',
        section: '9112, 3.2.4',
        line: 'OPTIONS http://b?c HTTP/1.1',
        want: 'OPTIONS /?c HTTP/1.1',
      },
      { what: 'with "*"', section: '9112, 3.2.4', line: 'OPTIONS * HTTP/1.1', want: 'OPTIONS * HTTP/1.1' },
      {
        what: 'with another target',
        section: '9112, 3.2',
        line: 'GET http://b/c HTTP/1.1',
        target: '/d?e',
        want: 'GET /d?e HTTP/1.1',
      },
      {
        what: 'of a method that nobody knows',
        section: '9110, 9.1',
        line: 'BREW / HTTP/1.0',
        target: '/x',
        want: 'BREW /x HTTP/1.1',
      },
    ]) {
      it(`${what} (RFC ${section}): ${line}`, () => {
        const head = requestHead(`${line}\r\n${host}\r\n`);
        expect(written((writer) => passRequestLine(writer, head, target))).to.equal(`${want}\r\n`);
      });
    }
  });

  describe('has a status line', () => {
    for (const { line, want } of [
      { line: 'HTTP/1.1 200 OK', want: 'HTTP/1.1 200 OK' },
      { line: 'HTTP/1.0 404 Not  Found ', want: 'HTTP/1.1 404 Not  Found ' },
      { line: 'HTTP/1.1 200', want: 'HTTP/1.1 200 ' },
      { line: 'HTTP/1.1 200 ', want: 'HTTP/1.1 200 ' },
    ]) {
      it(`in version 1.1, with its reason (RFC 9112, 4): ${JSON.stringify(line)}`, () => {
        const head = responseHead(`${line}\r\n\r\n`);
        expect(written((writer) => passStatusLine(writer, head))).to.equal(`${want}\r\n`);
      });
    }
  });

  describe('keeps', () => {
    for (const { what, section, lines } of [
      { what: 'other lines octet by octet', section: '9110, 7.7', lines: 'x-A:b\r\nX-a: \t\xe9 c \r\nEmpty:\r\n' },
      { what: 'the order of repeated headers', section: '9110, 5.3', lines: 'A: 1\r\nB: 2\r\nA: 3\r\n' },
      { what: 'what frames the body', section: '9112, 6', lines: 'Transfer-Encoding: chunked\r\nTrailer: x\r\n' },
      { what: 'its length', section: '9112, 6', lines: 'Content-Length: 0\r\n' },
      {
        what: 'what is asked for end to end',
        section: '9110, 7.6',
        lines: 'Expect: 100-continue\r\nVia: 1.1 a\r\nMax-Forwards: 1\r\n',
      },
    ]) {
      it(`${what} (RFC ${section})`, () => {
        expect(passedFields(lines)).to.equal(lines);
      });
    }

    for (const name of [
      'Host',
      'Content-Length',
      'Cookie',
      'Authorization',
      'Expect',
      'Via',
      'X-Forwarded-For',
      'traceparent',
    ]) {
      it(`what Connection may not take away: ${name} (RFC 9110, 7.6.1)`, () => {
        const head = requestHead(
          `GET / HTTP/1.1\r\nConnection: ${name}\r\n${name}: 1\r\n${name === 'Host' ? '' : host}\r\n`,
        );
        const passed = written((writer) => passFields(writer, head, withheld(...ofRequestConnection), undefined));
        expect(passed).to.equal(`${name}: 1\r\n${name === 'Host' ? '' : host}`);
      });
    }
  });

  describe('leaves out', () => {
    for (const line of [
      'Connection: close',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'Proxy-Authenticate: Basic',
      'Proxy-Authorization: Basic x',
      'TE: trailers',
      'Upgrade: websocket',
      'HTTP2-Settings: x',
    ]) {
      for (const at of ['first', 'last', 'only'] as const) {
        it(`${line.replace(/:.*/, '')} (RFC 9110, 7.6.1), ${at}`, () => {
          const [before, behind] = { first: ['', 'B: c\r\n'], last: ['B: c\r\n', ''], only: ['', ''] }[at];
          expect(passedFields(`${before}${line}\r\n${behind}`)).to.equal(`${before}${behind}`);
        });
      }
    }

    for (const { what, lines, want } of [
      { what: 'what Connection names', lines: 'Connection: x-a\r\nX-A: 1\r\nX-B: 2\r\n', want: 'X-B: 2\r\n' },
      { what: 'it in whatever case', lines: 'X-a: 1\r\nCONNECTION: close, X-A\r\n', want: '' },
      {
        what: 'each of several',
        lines: 'Connection: a,, b ,\tc\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n',
        want: 'D: 4\r\n',
      },
      {
        what: 'what the second Connection names',
        lines: 'Connection: a\r\nB: 1\r\nConnection: b\r\nA: 2\r\n',
        want: '',
      },
      { what: 'each line of a repeated one', lines: 'A: 1\r\nConnection: a\r\nB: 2\r\na: 3\r\n', want: 'B: 2\r\n' },
      {
        what: 'not what has a longer or shorter name',
        lines: 'Connection: ab\r\nA: 1\r\nAbc: 2\r\n',
        want: 'A: 1\r\nAbc: 2\r\n',
      },
    ]) {
      it(`${what} (RFC 9110, 7.6.1)`, () => {
        expect(passedFields(lines)).to.equal(want);
      });
    }

    it('of a response, what belongs to its connection; not what is for its client (RFC 9110, 7.6.1)', () => {
      const lines =
        'Connection: a\r\nA: 1\r\nKeep-Alive: 5\r\nUpgrade: x\r\nProxy-Authenticate: y\r\nTrailer: T\r\nWWW-Authenticate: z\r\n';
      const head = responseHead(`HTTP/1.1 200 OK\r\n${lines}\r\n`);
      const passed = written((writer) => passFields(writer, head, withheld(...ofResponseConnection), undefined));
      expect(passed).to.equal('Trailer: T\r\nWWW-Authenticate: z\r\n');
    });

    it('what the caller names, by kind', () => {
      const kinds = [...ofRequestConnection, headerKind['x-sluice-instance'], headerKind.via];
      expect(passedFields('X-Sluice-Instance: a\r\nVIA: b\r\nVia2: c\r\n', undefined, kinds)).to.equal('Via2: c\r\n');
    });
  });

  describe('is changed', () => {
    const lines = 'A: 1\r\nB: 2\r\na: 3\r\nC: 4\r\n';
    for (const { what, changes, want } of [
      { what: 'not at all', changes: {}, want: lines },
      { what: 'by removing', changes: { remove: ['a', 'x'] }, want: 'B: 2\r\nC: 4\r\n' },
      { what: 'by setting', changes: { set: [['a', '5']] }, want: 'B: 2\r\nC: 4\r\na: 5\r\n' },
      { what: 'by setting what was not there', changes: { set: [['x', '5']] }, want: `${lines}x: 5\r\n` },
      { what: 'by adding', changes: { add: [['a', '5']] }, want: `${lines}a: 5\r\n` },
      {
        what: 'in every way at once',
        changes: {
          remove: ['b'],
          set: [['c', '6']],
          add: [
            ['d', '7'],
            ['d', '8'],
          ],
        },
        want: 'A: 1\r\na: 3\r\nc: 6\r\nd: 7\r\nd: 8\r\n',
      },
    ] satisfies { what: string; changes: Partial<HeaderChanges>; want: string }[]) {
      it(what, () => {
        expect(passedFields(lines, { set: [], add: [], remove: [], ...changes })).to.equal(want);
      });
    }
  });

  it('may have no header at all', () => {
    const head = requestHead('GET / HTTP/1.0\r\n\r\n');
    expect(written((writer) => passFields(writer, head, withheld(), undefined))).to.equal('');
  });
});
