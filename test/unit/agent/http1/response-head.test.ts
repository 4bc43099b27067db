import { expect } from 'chai';
import type { Asked } from '../../../../agent/http1/response-head.ts';
import { expectResponseCutsToBeNothing, parseResponse, type ResponseFacts } from './outcomes.ts';

/** Of `HTTP/1.1 200 OK` alone. */
const plain: ResponseFacts = {
  status: 200,
  version: '1.1',
  headers: [],
  body: 'until-close',
  length: -1,
  keepsAlive: false,
  isInterim: false,
  rest: '',
};

function head(line: string, ...lines: readonly string[]): string {
  return `${line}\r\n${lines.map((each) => `${each}\r\n`).join('')}\r\n`;
}

function ok(...lines: readonly string[]): string {
  return head('HTTP/1.1 200 OK', ...lines);
}

const refusals: readonly {
  readonly what: string;
  readonly section: string;
  readonly bytes: string;
  readonly fault: string;
}[] = [
  { what: 'bytes that are no HTTP', section: '9112, 4', bytes: 'hello\r\n', fault: 'status-line' },
  { what: 'an empty line before it', section: '9112, 2.2', bytes: `\r\n${ok()}`, fault: 'status-line' },
  { what: 'a status line without version', section: '9112, 4', bytes: head('200 OK'), fault: 'status-line' },
  { what: 'a version by another name', section: '9112, 2.3', bytes: head('ICY/1.1 200 OK'), fault: 'status-line' },
  { what: 'a version in lower case', section: '9112, 2.3', bytes: head('http/1.1 200 OK'), fault: 'status-line' },
  { what: 'the version 2.0', section: '9110, 2.5', bytes: head('HTTP/2.0 200 OK'), fault: 'status-line' },
  { what: 'the version 1.2', section: '9110, 2.5', bytes: head('HTTP/1.2 200 OK'), fault: 'version' },
  { what: 'a version of three digits', section: '9112, 2.3', bytes: head('HTTP/1.10 200 OK'), fault: 'status-line' },
  { what: 'two spaces before the status', section: '9112, 4', bytes: head('HTTP/1.1  200 OK'), fault: 'status-line' },
  { what: 'a tab before the status', section: '9112, 4', bytes: head('HTTP/1.1\t200 OK'), fault: 'status-line' },
  { what: 'a status of two digits', section: '9112, 4', bytes: head('HTTP/1.1 20 OK'), fault: 'status-line' },
  { what: 'a status of four digits', section: '9112, 4', bytes: head('HTTP/1.1 2000 OK'), fault: 'status-line' },
  { what: 'a status below 100', section: '9110, 15', bytes: head('HTTP/1.1 099 OK'), fault: 'status-line' },
  { what: 'a status that is no number', section: '9112, 4', bytes: head('HTTP/1.1 2x0 OK'), fault: 'status-line' },
  { what: 'a tab behind the status', section: '9112, 4', bytes: head('HTTP/1.1 200\tOK'), fault: 'status-line' },
  { what: 'a control character', section: '9112, 4', bytes: head('HTTP/1.1 200 O\x01K'), fault: 'status-line' },
  { what: 'NUL in the reason', section: '9112, 4', bytes: head('HTTP/1.1 200 O\0K'), fault: 'status-line' },
  { what: 'a bare LF behind the line', section: '9112, 2.2', bytes: 'HTTP/1.1 200 OK\n\r\n', fault: 'line-end' },
  { what: 'a bare LF behind the status', section: '9112, 2.2', bytes: 'HTTP/1.1 200\n\r\n', fault: 'line-end' },
  { what: 'a bare CR in the reason', section: '9112, 2.2', bytes: head('HTTP/1.1 200 O\rK'), fault: 'bare-cr' },
  { what: 'a folded line', section: '9112, 5.2', bytes: ok('A: b', ' c'), fault: 'line-folding' },
  { what: 'a space before the colon', section: '9112, 5.1', bytes: ok('A : b'), fault: 'header-name' },
  { what: 'a header without a colon', section: '9112, 5', bytes: ok('A'), fault: 'header-name' },
  { what: 'NUL in a value', section: '9110, 5.5', bytes: ok('A: \0'), fault: 'header-value' },
  { what: 'a bare CR in a value', section: '9112, 2.2', bytes: ok('A: b\rc'), fault: 'bare-cr' },
  { what: 'a bare LF in a value', section: '9112, 2.2', bytes: ok('A: b\nc: d'), fault: 'line-end' },
  { what: 'a length with a sign', section: '9112, 6.3', bytes: ok('Content-Length: +1'), fault: 'content-length' },
  { what: 'an empty length', section: '9112, 6.3', bytes: ok('Content-Length:'), fault: 'content-length' },
  { what: 'a list of lengths', section: '9112, 6.3', bytes: ok('Content-Length: 1, 1'), fault: 'content-length' },
  {
    what: 'an overlong length',
    section: '9112, 6.3',
    bytes: ok(`Content-Length: ${'9'.repeat(16)}`),
    fault: 'content-length',
  },
  {
    what: 'a length that is given twice',
    section: '9112, 6.3',
    bytes: ok('Content-Length: 1', 'Content-Length: 1'),
    fault: 'content-length-repeated',
  },
  {
    what: 'length and chunks',
    section: '9112, 6.1',
    bytes: ok('Content-Length: 1', 'Transfer-Encoding: chunked'),
    fault: 'length-twice',
  },
  {
    what: 'another coding than chunked',
    section: '9112, 6.1',
    bytes: ok('Transfer-Encoding: gzip, chunked'),
    fault: 'transfer-encoding',
  },
  {
    what: 'chunks in HTTP/1.0',
    section: '9112, 6.1',
    bytes: head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked'),
    fault: 'transfer-encoding-1.0',
  },
  {
    what: 'a malformed length also where there is no body',
    section: '9112, 6.3',
    bytes: head('HTTP/1.1 304 Not Modified', 'Content-Length: x'),
    fault: 'content-length',
  },
  { what: 'a malformed Connection', section: '9110, 7.6.1', bytes: ok('Connection: @'), fault: 'connection' },
];

const accepted: readonly {
  readonly what: string;
  readonly section: string;
  readonly bytes: string;
  readonly asked?: Asked;
  readonly want: Partial<ResponseFacts>;
}[] = [
  { what: 'a body until the connection ends', section: '9112, 6.3', bytes: `${ok()}body`, want: { rest: 'body' } },
  {
    what: 'a length',
    section: '9112, 6.3',
    bytes: ok('Content-Length: 5'),
    want: { headers: ['Content-Length: 5'], body: 'sized', length: 5, keepsAlive: true },
  },
  {
    what: 'a length of 0',
    section: '9112, 6.3',
    bytes: ok('Content-Length: 0'),
    want: { headers: ['Content-Length: 0'], body: 'none', length: 0, keepsAlive: true },
  },
  {
    what: 'chunks',
    section: '9112, 7.1',
    bytes: ok('Transfer-Encoding: chunked'),
    want: { headers: ['Transfer-Encoding: chunked'], body: 'chunked', keepsAlive: true },
  },
  ...['HTTP/1.1 200', 'HTTP/1.1 200 '].map((line) => ({
    what: `no reason: ${JSON.stringify(line)}`,
    section: '9112, 4',
    bytes: head(line),
    want: {},
  })),
  {
    what: 'a reason beyond ASCII',
    section: '9112, 4',
    bytes: head('HTTP/1.1 200 Voil\xe0\t!'),
    want: {},
  },
  { what: 'a status that nobody knows', section: '9110, 15', bytes: head('HTTP/1.1 799 X'), want: { status: 799 } },
  ...[204, 304].map((status) => ({
    what: `no body with ${status}, whatever its headers say`,
    section: '9112, 6.3',
    bytes: head(`HTTP/1.1 ${status} X`, 'Content-Length: 5'),
    want: {
      status,
      headers: ['Content-Length: 5'],
      body: 'none' as const,
      length: 5,
      keepsAlive: true,
    },
  })),
  {
    what: 'no body when the request was HEAD',
    section: '9112, 6.3',
    bytes: ok('Transfer-Encoding: chunked'),
    asked: 'HEAD',
    want: { headers: ['Transfer-Encoding: chunked'], body: 'none', keepsAlive: true },
  },
  {
    what: 'no body when the request was CONNECT',
    section: '9112, 6.3',
    bytes: ok(),
    asked: 'CONNECT',
    want: { body: 'none', keepsAlive: true },
  },
  {
    what: 'a body when CONNECT was refused',
    section: '9112, 6.3',
    bytes: head('HTTP/1.1 403 No', 'Content-Length: 5'),
    asked: 'CONNECT',
    want: { status: 403, headers: ['Content-Length: 5'], body: 'sized', length: 5, keepsAlive: true },
  },
  ...[100, 102, 103, 199].map((status) => ({
    what: `another head behind ${status}`,
    section: '9110, 15.2',
    bytes: head(`HTTP/1.1 ${status} X`),
    want: { status, body: 'none' as const, isInterim: true, keepsAlive: true },
  })),
  {
    what: 'no further head behind 101',
    section: '9110, 15.2.2',
    bytes: head('HTTP/1.1 101 Switching Protocols', 'Upgrade: a', 'Connection: upgrade'),
    want: { status: 101, headers: ['Upgrade: a', 'Connection: upgrade'], body: 'none', keepsAlive: true },
  },
  {
    what: 'Connection: close',
    section: '9112, 9.3',
    bytes: ok('Content-Length: 0', 'Connection: Close'),
    want: { headers: ['Content-Length: 0', 'Connection: Close'], body: 'none', length: 0 },
  },
  {
    what: 'HTTP/1.0, which closes',
    section: '9112, 9.3',
    bytes: head('HTTP/1.0 200 OK', 'Content-Length: 0'),
    want: { version: '1.0', headers: ['Content-Length: 0'], body: 'none', length: 0 },
  },
  {
    what: 'HTTP/1.0 that keeps its connection',
    section: '9112, 9.3',
    bytes: head('HTTP/1.0 200 OK', 'Content-Length: 0', 'Connection: keep-alive'),
    want: {
      version: '1.0',
      headers: ['Content-Length: 0', 'Connection: keep-alive'],
      body: 'none',
      length: 0,
      keepsAlive: true,
    },
  },
];

describe('a response head', () => {
  describe('is refused', () => {
    for (const { what, section, bytes, fault: name } of refusals) {
      it(`with ${what} (RFC ${section})`, () => {
        expect(parseResponse(bytes)).to.deep.equal({ fault: name });
        expectResponseCutsToBeNothing(bytes);
      });
    }
  });

  describe('is read', () => {
    for (const { what, section, bytes, asked, want } of accepted) {
      it(`with ${what} (RFC ${section})`, () => {
        expect(parseResponse(bytes, asked)).to.deep.equal({ ...plain, ...want });
        expectResponseCutsToBeNothing(bytes, asked);
      });
    }

    it('in every beginning of it as incomplete', () => {
      const bytes = ok('Content-Length: 1', 'Connection: close');
      const early = Array.from({ length: bytes.length - 1 }, (_, cut) => parseResponse(bytes.slice(0, cut + 1)));
      expect(new Set(early)).to.deep.equal(new Set(['incomplete']));
    });
  });

  it('has a limit of 256 headers', () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => `b${n}: c`);
    expect(parseResponse(ok(...many(256))))
      .to.have.property('headers')
      .of.length(256);
    expect(parseResponse(ok(...many(257)))).to.deep.equal({ fault: 'too-many-headers' });
  });
});
