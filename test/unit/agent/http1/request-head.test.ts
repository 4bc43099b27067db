import { expect } from 'chai';
import { RequestHead } from '../../../../agent/http1/request-head.ts';
import { expectRequestCutsToBeNothing, parseRequest, type RequestFacts } from './outcomes.ts';

/** Of `GET / HTTP/1.1` with `Host: a`. */
const plain: RequestFacts = {
  method: 'GET',
  form: 'origin',
  authority: 'a',
  path: '/',
  query: '',
  version: '1.1',
  headers: ['Host: a'],
  body: 'none',
  length: 0,
  keepsAlive: true,
  rest: '',
};

/** A head with this line and header lines; a Host is among them unless it says otherwise. */
function head(line: string, ...lines: readonly string[]): string {
  return `${line}\r\n${lines.map((each) => `${each}\r\n`).join('')}\r\n`;
}

function get(...lines: readonly string[]): string {
  return head('GET / HTTP/1.1', 'Host: a', ...lines);
}

const refusals: readonly {
  readonly what: string;
  readonly section: string;
  readonly bytes: string;
  readonly fault: string;
}[] = [
  // The request line.
  { what: 'no method', section: '9112, 3', bytes: head(' / HTTP/1.1'), fault: 'method' },
  { what: 'a method that is no token', section: '9110, 9.1', bytes: head('G@T / HTTP/1.1'), fault: 'method' },
  {
    what: 'a method of 33 letters',
    section: '9110, 9.1',
    bytes: head(`${'A'.repeat(33)} / HTTP/1.1`),
    fault: 'method',
  },
  { what: 'a tab behind the method', section: '9112, 3', bytes: head('GET\t/ HTTP/1.1'), fault: 'method' },
  { what: 'white space before the method', section: '9112, 2.2', bytes: ` ${get()}`, fault: 'method' },
  { what: 'a bare LF before the request', section: '9112, 2.2', bytes: `\n${get()}`, fault: 'method' },
  { what: 'a bare CR before the request', section: '9112, 2.2', bytes: `\r${get()}`, fault: 'method' },
  { what: 'two spaces before the target', section: '9112, 3', bytes: head('GET  / HTTP/1.1'), fault: 'target-form' },
  { what: 'a tab behind the target', section: '9112, 3', bytes: head('GET /\tHTTP/1.1'), fault: 'target' },
  { what: 'two spaces behind the target', section: '9112, 3', bytes: head('GET /  HTTP/1.1'), fault: 'request-line' },
  { what: 'a space in the target', section: '9112, 3.2', bytes: head('GET /a b HTTP/1.1'), fault: 'request-line' },
  { what: 'NUL in the target', section: '9112, 3.2', bytes: head('GET /\0 HTTP/1.1'), fault: 'target' },
  { what: 'DEL in the target', section: '9112, 3.2', bytes: head('GET /\x7f HTTP/1.1'), fault: 'target' },
  { what: 'an octet beyond ASCII in it', section: '9112, 3.2', bytes: head('GET /\xe9 HTTP/1.1'), fault: 'target' },
  { what: 'a fragment in the target', section: '9112, 3.2', bytes: head('GET /#a HTTP/1.1'), fault: 'target' },
  { what: 'a target that is no path', section: '9112, 3.2', bytes: head('GET a HTTP/1.1'), fault: 'target-form' },
  { what: '"*" for another method', section: '9112, 3.2.4', bytes: head('GET * HTTP/1.1'), fault: 'target-form' },
  { what: 'an https:// URL', section: '9112, 3.2.2', bytes: head('GET https://a/ HTTP/1.1'), fault: 'target-form' },
  { what: 'an URL without host', section: '9110, 4.2.1', bytes: head('GET http:///a HTTP/1.1'), fault: 'target-form' },
  { what: 'an URL with an user', section: '9110, 4.2.4', bytes: head('GET http://u@a/ HTTP/1.1'), fault: 'host' },
  { what: 'CONNECT to nobody', section: '9112, 3.2.3', bytes: head('CONNECT  HTTP/1.1'), fault: 'target-form' },
  { what: 'CONNECT to a path', section: '9112, 3.2.3', bytes: head('CONNECT /a HTTP/1.1'), fault: 'host' },
  { what: 'HTTP/0.9, which has no version', section: '9112, 3', bytes: 'GET /\r\n', fault: 'request-line' },
  { what: 'the same with a bare LF', section: '9112, 3', bytes: 'GET /\n', fault: 'request-line' },
  { what: 'a version by another name', section: '9112, 2.3', bytes: head('GET / ICE/1.1'), fault: 'request-line' },
  { what: 'a version in lower case', section: '9112, 2.3', bytes: head('GET / http/1.1'), fault: 'request-line' },
  { what: 'the version 0.9', section: '9110, 2.5', bytes: head('GET / HTTP/0.9', 'Host: a'), fault: 'version' },
  { what: 'the version 1.2', section: '9110, 2.5', bytes: head('GET / HTTP/1.2', 'Host: a'), fault: 'version' },
  { what: 'the version 2.0', section: '9110, 2.5', bytes: head('GET / HTTP/2.0', 'Host: a'), fault: 'version' },
  { what: 'the version 3.0', section: '9110, 2.5', bytes: head('GET / HTTP/3.0', 'Host: a'), fault: 'version' },
  { what: 'a version of two digits', section: '9112, 2.3', bytes: head('GET / HTTP/11.1'), fault: 'version' },
  { what: 'a version without minor', section: '9112, 2.3', bytes: head('GET / HTTP/1 1'), fault: 'version' },
  { what: 'HTTP/2 itself', section: '9113, 3.4', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', fault: 'target-form' },
  { what: 'a space behind it', section: '9112, 3', bytes: head('GET / HTTP/1.1 '), fault: 'request-line' },
  { what: 'a bare LF behind it', section: '9112, 2.2', bytes: 'GET / HTTP/1.1\nHost: a\r\n\r\n', fault: 'line-end' },
  { what: 'a bare CR behind it', section: '9112, 2.2', bytes: 'GET / HTTP/1.1\rHost: a\r\n\r\n', fault: 'bare-cr' },
  // Lines of headers.
  { what: 'a folded line', section: '9112, 5.2', bytes: get('B: c', ' d'), fault: 'line-folding' },
  { what: 'a line folded by a tab', section: '9112, 5.2', bytes: get('B: c', '\td'), fault: 'line-folding' },
  {
    what: 'white space before the first header',
    section: '9112, 2.2',
    bytes: head('GET / HTTP/1.1', ' Host: a'),
    fault: 'line-folding',
  },
  { what: 'a space before the colon', section: '9112, 5.1', bytes: get('B : c'), fault: 'header-name' },
  { what: 'a tab before the colon', section: '9112, 5.1', bytes: get('B\t: c'), fault: 'header-name' },
  { what: 'a header without a name', section: '9112, 5', bytes: get(': c'), fault: 'header-name' },
  { what: 'a header without a colon', section: '9112, 5', bytes: get('B'), fault: 'header-name' },
  { what: 'a slash in a name', section: '9110, 5.1', bytes: get('B/: c'), fault: 'header-name' },
  { what: 'NUL in a name', section: '9110, 5.1', bytes: get('B\0: c'), fault: 'header-name' },
  { what: 'an octet beyond ASCII in a name', section: '9110, 5.1', bytes: get('B\xe9: c'), fault: 'header-name' },
  { what: 'NUL in a value', section: '9110, 5.5', bytes: get('B: c\0d'), fault: 'header-value' },
  { what: 'a control character in a value', section: '9110, 5.5', bytes: get('B: \x1b[1m'), fault: 'header-value' },
  { what: 'DEL in a value', section: '9110, 5.5', bytes: get('B: \x7f'), fault: 'header-value' },
  { what: 'a bare CR in a value', section: '9112, 2.2', bytes: get('B: c\rd'), fault: 'bare-cr' },
  { what: 'a bare LF in a value', section: '9112, 2.2', bytes: get('B: c\nd: e'), fault: 'line-end' },
  { what: 'a bare LF in a name', section: '9112, 2.2', bytes: get('B\nC: d'), fault: 'line-end' },
  {
    what: 'a bare LF behind the head',
    section: '9112, 2.2',
    bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\n',
    fault: 'line-end',
  },
  { what: 'a bare CR behind it', section: '9112, 2.2', bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\rx', fault: 'bare-cr' },
  // Host.
  { what: 'no Host', section: '9112, 3.2', bytes: head('GET / HTTP/1.1'), fault: 'host-missing' },
  { what: 'no Host for an URL', section: '9112, 3.2', bytes: head('GET http://a/ HTTP/1.1'), fault: 'host-missing' },
  { what: 'several Hosts', section: '9112, 3.2', bytes: get('Host: b'), fault: 'host-repeated' },
  { what: 'one Host twice', section: '9112, 3.2', bytes: get('hOST: a'), fault: 'host-repeated' },
  ...['a b', 'a,b', 'a/b', 'u@a', 'a?b', 'a#b', 'a\\b', '"a"', '\xe9', 'a\tb', '<a>'].map((host) => ({
    what: `the Host ${JSON.stringify(host)}`,
    section: '9112, 3.2',
    bytes: head('GET / HTTP/1.1', `Host: ${host}`),
    fault: 'host',
  })),
  // Where the body ends.
  ...['', '+1', '-1', '-0', '0x1', '1.0', '1e3', '1 1', '1,1', '1, 1', '1;', '"1"', '\xb2', '1\t', '1'.repeat(16)].map(
    (length) => ({
      what: `the Content-Length ${JSON.stringify(length)}`,
      section: '9112, 6.3',
      bytes: get(`Content-Length: ${length}`),
      fault: 'content-length',
    }),
  ),
  ...['1', '2'].map((length) => ({
    what: `a Content-Length of 1 and one of ${length}`,
    section: '9112, 6.3',
    bytes: get('Content-Length: 1', 'B: c', `content-length: ${length}`),
    fault: 'content-length-repeated',
  })),
  ...['Content-Length: 1\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nContent-Length: 0'].map(
    (both) => ({
      what: `both ways to say it: ${both.replace('\r\n', ' and ')}`,
      section: '9112, 6.1',
      bytes: get(both),
      fault: 'length-twice',
    }),
  ),
  ...[
    '',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'chunked,chunked',
    'chunked,',
    ',chunked',
    '"chunked"',
  ].map((coding) => ({
    what: `the Transfer-Encoding ${JSON.stringify(coding)}`,
    section: '9112, 6.1',
    bytes: get(`Transfer-Encoding: ${coding}`),
    fault: 'transfer-encoding',
  })),
  ...[
    'chunked;q=1',
    'chunked\t',
    'chunked \t ',
    'chunke',
    'chunkedd',
    'ch unked',
    'x chunked',
    '\x0bchunked',
    'chunked\x0b',
  ].map((coding) => ({
    what: `the Transfer-Encoding ${JSON.stringify(coding)}`,
    section: '9112, 6.1',
    bytes: get(`Transfer-Encoding: ${coding}`),
    fault: coding.includes('\x0b') ? 'header-value' : 'transfer-encoding',
  })),
  {
    what: 'two Transfer-Encodings',
    section: '9112, 6.1',
    bytes: get('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
    fault: 'transfer-encoding',
  },
  {
    what: 'two, of which the second is none',
    section: '9112, 6.1',
    bytes: get('Transfer-Encoding: chunked', 'Transfer-Encoding: identity'),
    fault: 'transfer-encoding',
  },
  {
    what: 'Transfer-Encoding in HTTP/1.0',
    section: '9112, 6.1',
    bytes: head('POST / HTTP/1.0', 'Transfer-Encoding: chunked'),
    fault: 'transfer-encoding-1.0',
  },
  ...['Content-Length: 1', 'Transfer-Encoding: chunked'].map((line) => ({
    what: `CONNECT with ${line}`,
    section: '9110, 9.3.6',
    bytes: head('CONNECT a:1 HTTP/1.1', 'Host: a:1', line),
    fault: 'connect-body',
  })),
  // Connection.
  ...['close keep-alive', 'close;', '"close"', 'close, b c', '\xe9', 'close=1'].map((options) => ({
    what: `the Connection ${JSON.stringify(options)}`,
    section: '9110, 7.6.1',
    bytes: get(`Connection: ${options}`),
    fault: 'connection',
  })),
];

const accepted: readonly {
  readonly what: string;
  readonly section: string;
  readonly bytes: string;
  readonly want: Partial<RequestFacts>;
}[] = [
  { what: 'a request', section: '9112, 3', bytes: get(), want: {} },
  { what: 'an empty line before it', section: '9112, 2.2', bytes: `\r\n${get()}`, want: {} },
  { what: 'several empty lines before it', section: '9112, 2.2', bytes: `\r\n\r\n\r\n${get()}`, want: {} },
  { what: 'what stands behind it, which it leaves', section: '9112, 9.3', bytes: `${get()}GET`, want: { rest: 'GET' } },
  {
    what: 'a method that nobody knows',
    section: '9110, 9.1',
    bytes: head("m-search!#$%&'*+.^_`|~9 / HTTP/1.1", 'Host: a'),
    want: { method: "m-search!#$%&'*+.^_`|~9" },
  },
  {
    what: 'a path and a query as they are written',
    section: '9112, 3.2.1',
    bytes: head('GET //a/../%2e;b|{c}"?d?e=%20 HTTP/1.1', 'Host: a'),
    want: { path: '//a/../%2e;b|{c}"', query: 'd?e=%20' },
  },
  {
    what: 'an empty query',
    section: '9112, 3.2.1',
    bytes: head('GET /? HTTP/1.1', 'Host: a'),
    want: { path: '/', query: '' },
  },
  {
    what: 'an URL, which outranks the Host',
    section: '9112, 3.2.2',
    bytes: head('GET http://b:81/c?d HTTP/1.1', 'Host: a'),
    want: { form: 'absolute', authority: 'b:81', path: '/c', query: 'd' },
  },
  {
    what: 'an URL whose scheme is in upper case',
    section: '9110, 4.2.3',
    bytes: head('GET HTTP://b/ HTTP/1.1', 'Host: a'),
    want: { form: 'absolute', authority: 'b' },
  },
  {
    what: 'an URL without path, which means "/"',
    section: '9112, 3.2.1',
    bytes: head('GET http://b HTTP/1.1', 'Host: a'),
    want: { form: 'absolute', authority: 'b', path: '/' },
  },
  {
    what: 'an URL without path, but with a query',
    section: '9112, 3.2.1',
    bytes: head('GET http://b?c/d HTTP/1.1', 'Host: a'),
    want: { form: 'absolute', authority: 'b', path: '/', query: 'c/d' },
  },
  {
    what: 'an URL without path for OPTIONS, which means the server',
    section: '9112, 3.2.4',
    bytes: head('OPTIONS http://b HTTP/1.1', 'Host: a'),
    want: { method: 'OPTIONS', form: 'absolute', authority: 'b', path: '*' },
  },
  {
    what: '"*" of OPTIONS',
    section: '9112, 3.2.4',
    bytes: head('OPTIONS * HTTP/1.1', 'Host: a'),
    want: { method: 'OPTIONS', form: 'asterisk', path: '*' },
  },
  {
    what: 'host and port of CONNECT',
    section: '9112, 3.2.3',
    bytes: head('CONNECT b:443 HTTP/1.1', 'Host: a'),
    want: { method: 'CONNECT', form: 'authority', authority: 'b:443', path: '' },
  },
  {
    what: 'CONNECT that says that it has no body',
    section: '9110, 9.3.6',
    bytes: head('CONNECT [::1]:443 HTTP/1.1', 'Host: a', 'Content-Length: 0'),
    want: {
      method: 'CONNECT',
      form: 'authority',
      authority: '[::1]:443',
      path: '',
      headers: ['Host: a', 'Content-Length: 0'],
    },
  },
  {
    what: 'an empty Host',
    section: '9112, 3.2',
    bytes: head('GET / HTTP/1.1', 'Host:'),
    want: { authority: '', headers: ['Host: '] },
  },
  ...['a:80', '[::1]:80', '127.0.0.1', 'a_b.c~d', '%41', "!$&'()*+;="].map((host) => ({
    what: `the Host ${host}`,
    section: '9112, 3.2',
    bytes: head('GET / HTTP/1.1', `Host: ${host}`),
    want: { authority: host, headers: [`Host: ${host}`] },
  })),
  {
    what: 'white space around a value',
    section: '9112, 5.1',
    bytes: get('B: \t c d \t', 'E:', 'F: \t '),
    want: { headers: ['Host: a', 'B: c d', 'E: ', 'F: '] },
  },
  {
    what: 'a tab and octets beyond ASCII in a value',
    section: '9110, 5.5',
    bytes: get('B: c\td \x80\xff'),
    want: { headers: ['Host: a', 'B: c\td \x80\xff'] },
  },
  {
    what: 'every character that a name may have',
    section: '9110, 5.6.2',
    bytes: get("!#$%&'*+-.^_`|~0aZ: b"),
    want: { headers: ['Host: a', "!#$%&'*+-.^_`|~0aZ: b"] },
  },
  {
    what: 'a length',
    section: '9112, 6.3',
    bytes: `${get('CONTENT-LENGTH:12  ')}abc`,
    want: { headers: ['Host: a', 'CONTENT-LENGTH: 12'], body: 'sized', length: 12, rest: 'abc' },
  },
  {
    what: 'a length of 0, which is no body',
    section: '9112, 6.3',
    bytes: get('Content-Length: 0'),
    want: { headers: ['Host: a', 'Content-Length: 0'] },
  },
  {
    what: 'the greatest length there can be',
    section: '9112, 6.3',
    bytes: get(`Content-Length: ${'9'.repeat(15)}`),
    want: { headers: ['Host: a', `Content-Length: ${'9'.repeat(15)}`], body: 'sized', length: 999_999_999_999_999 },
  },
  ...['chunked', 'CHUNKED', '\tchunked  '].map((coding) => ({
    what: `chunks: ${JSON.stringify(coding)}`,
    section: '9112, 6.1',
    bytes: get(`Transfer-Encoding:${coding}`),
    want: { headers: ['Host: a', `Transfer-Encoding: ${coding.trim()}`], body: 'chunked' as const },
  })),
  {
    what: 'Connection: close',
    section: '9112, 9.3',
    bytes: get('Connection: keep-alive, , CLOSE'),
    want: { headers: ['Host: a', 'Connection: keep-alive, , CLOSE'], keepsAlive: false },
  },
  {
    what: 'close in the second of two Connections',
    section: '9112, 9.3',
    bytes: get('Connection: b', 'Connection:', 'Connection: close'),
    want: { headers: ['Host: a', 'Connection: b', 'Connection: ', 'Connection: close'], keepsAlive: false },
  },
  {
    what: 'HTTP/1.0, without a Host and for one request',
    section: '9112, 9.3',
    bytes: head('GET / HTTP/1.0'),
    want: { version: '1.0', authority: '', headers: [], keepsAlive: false },
  },
  {
    what: 'HTTP/1.0 that keeps its connection',
    section: '9112, 9.3',
    bytes: head('GET / HTTP/1.0', 'Connection: Keep-Alive'),
    want: { version: '1.0', authority: '', headers: ['Connection: Keep-Alive'], keepsAlive: true },
  },
  {
    what: 'HTTP/1.0 that cannot make up its mind, and closes',
    section: '9112, 9.3',
    bytes: head('GET / HTTP/1.0', 'Connection: keep-alive, close'),
    want: { version: '1.0', authority: '', headers: ['Connection: keep-alive, close'], keepsAlive: false },
  },
];

describe('a request head', () => {
  describe('is refused', () => {
    for (const { what, section, bytes, fault: name } of refusals) {
      it(`with ${what} (RFC ${section})`, () => {
        expect(parseRequest(bytes)).to.deep.equal({ fault: name });
        expectRequestCutsToBeNothing(bytes);
      });
    }
  });

  describe('is read', () => {
    for (const { what, section, bytes, want } of accepted) {
      it(`with ${what} (RFC ${section})`, () => {
        expect(parseRequest(bytes)).to.deep.equal({ ...plain, ...want });
        expectRequestCutsToBeNothing(bytes);
      });
    }

    it('in every beginning of it as incomplete', () => {
      const bytes = get('Content-Length: 1', 'Connection: close');
      const early = Array.from({ length: bytes.length - 1 }, (_, cut) => parseRequest(bytes.slice(0, cut + 1)));
      expect(new Set(early)).to.deep.equal(new Set(['incomplete']));
    });

    for (const empty of ['\r', '\r\n', '\r\n\r', '\r\n\r\n']) {
      it(`as nothing yet: ${JSON.stringify(empty)}`, () => {
        expect(parseRequest(empty)).to.equal('incomplete');
      });
    }
  });

  describe('has a limit', () => {
    const requestLine = (bytes: number) => `GET /${'a'.repeat(bytes - 16)} HTTP/1.1\r\n`;

    it('of 32 KiB for its first line (414)', () => {
      expect(parseRequest(`${requestLine(32 * 1024)}Host: a\r\n\r\n`)).to.have.property('form', 'origin');
      expect(parseRequest(requestLine(32 * 1024 + 1))).to.deep.equal({ fault: 'request-line-too-long' });
      expect(parseRequest(`\r\n\r\n${requestLine(32 * 1024)}Host: a\r\n\r\n`)).to.have.property('form', 'origin');
    });

    it('that the first line meets before it has ended', () => {
      expect(parseRequest(`GET /${'a'.repeat(32 * 1024)}`)).to.deep.equal({ fault: 'request-line-too-long' });
      expect(parseRequest(`GET /${'a'.repeat(32 * 1024)}\0`)).to.deep.equal({ fault: 'request-line-too-long' });
      expect(parseRequest(requestLine(32 * 1024 + 1).slice(0, 32 * 1024))).to.equal('incomplete');
    });

    it('of 256 headers (431)', () => {
      const more = (count: number) => Array.from({ length: count }, (_, n) => `b${n}: c`);
      expect(parseRequest(get(...more(255))))
        .to.have.property('headers')
        .of.length(256);
      expect(parseRequest(get(...more(256)))).to.deep.equal({ fault: 'too-many-headers' });
    });
  });

  it('can be parsed anew, and knows nothing of the one before', () => {
    const parsed = new RequestHead();
    const first = Buffer.from(
      head('POST http://b/c?d HTTP/1.0', 'Host: a', 'Content-Length: 5', 'Connection: close, e'),
    );
    const second = Buffer.from(get());
    parsed.parse(first, 0, first.length);
    parsed.parse(second, 0, second.length);
    expect({ ...parsed.connection }).to.deep.equal({
      close: false,
      keepAlive: false,
      upgrade: false,
      namesHeaders: false,
    });
    expect([
      parsed.method,
      parsed.authority,
      parsed.path,
      parsed.query,
      parsed.body,
      parsed.contentLength,
    ]).to.deep.equal(['GET', 'a', '/', '', 'none', 0]);
    expect(parsed.keepsAlive).to.equal(true);
  });

  it('finds a header by its name in lower case, and joins those that are repeated', () => {
    const parsed = new RequestHead();
    const bytes = Buffer.from(get('B: c', 'b: d', 'E: f'));
    parsed.parse(bytes, 0, bytes.length);
    expect([parsed.header('b'), parsed.header('e'), parsed.header('g')]).to.deep.equal(['c,d', 'f', undefined]);
  });

  it('is parsed where it lies among other bytes', () => {
    const parsed = new RequestHead();
    const bytes = Buffer.from(`before${get()}behind`);
    expect(parsed.parse(bytes, 6, bytes.length)).to.equal(bytes.length - 6);
    expect(parsed.parse(bytes, 6, bytes.length - 7)).to.equal(0);
  });
});
