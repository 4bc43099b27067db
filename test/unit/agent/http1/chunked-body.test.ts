import { expect } from 'chai';
import { ChunkedBody, type ChunkedOutput } from '../../../../agent/http1/chunked-body.ts';
import { describeFault } from '../../../../agent/http1/fault.ts';

interface Outcome {
  /** What is sent on, trailers included. */
  readonly sent: string;
  readonly is: 'done' | 'under way' | 'refused';
  readonly fault?: string;
  /** What stands behind the body. */
  readonly rest?: string;
}

/** The body in these pieces, each in a buffer where other bytes lie around it. */
function read(pieces: readonly string[], output: ChunkedOutput = 'framed', body = new ChunkedBody()): Outcome {
  body.reset(output);
  let sent = '';
  for (const [index, piece] of pieces.entries()) {
    const bytes = Buffer.from(`\r\n${piece}\r\n0\r\n\r\n`, 'latin1');
    const result = body.consume(bytes, 2, 2 + piece.length);
    sent += bytes.toString('latin1', body.from, body.to) + (body.trailers?.toString('latin1') ?? '');
    if (result !== 0) return { sent, is: 'refused', fault: describeFault(result).name };
    if (body.isDone) {
      const rest = bytes.toString('latin1', body.next, 2 + piece.length) + pieces.slice(index + 1).join('');
      return { sent, is: 'done', rest };
    }
    expect(body.next).to.equal(2 + piece.length);
  }
  return { sent, is: 'under way' };
}

/** In two pieces, cut everywhere, and octet by octet. */
function* cutsOf(text: string): Generator<readonly string[]> {
  for (let cut = 1; cut < text.length; cut++) yield [text.slice(0, cut), text.slice(cut)];
  yield [...text];
}

const hello = '5\r\nhello\r\n0\r\n\r\n';

const passed: readonly {
  readonly what: string;
  readonly section: string;
  readonly bytes: string;
  readonly framed: string;
  readonly bare: string;
  readonly rest?: string;
}[] = [
  { what: 'a chunk', section: '7.1', bytes: hello, framed: hello, bare: 'hello' },
  { what: 'no chunk but the last', section: '7.1', bytes: '0\r\n\r\n', framed: '0\r\n\r\n', bare: '' },
  {
    what: 'chunks of which one looks like the end',
    section: '7.1',
    bytes: '7\r\n\r\n0\r\n\r\n\r\n1\r\na\r\n0\r\n\r\n',
    framed: '7\r\n\r\n0\r\n\r\n\r\n1\r\na\r\n0\r\n\r\n',
    bare: '\r\n0\r\n\r\na',
  },
  {
    what: 'sizes in either case, with zeros before them',
    section: '7.1',
    bytes: '00a\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\n\r\n',
    framed: '00a\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\n\r\n',
    bare: '01234567890123456789',
  },
  {
    what: 'extensions, which end here',
    section: '7.1.1',
    bytes: '5;a;b=c;d="e \\" ;\\\\\xe9"\r\nhello\r\n0;f\r\n\r\n',
    framed: hello,
    bare: 'hello',
  },
  {
    what: 'extensions of 256 octets',
    section: '7.1.1',
    bytes: `5;${'a'.repeat(255)}\r\nhello\r\n0\r\n\r\n`,
    framed: hello,
    bare: 'hello',
  },
  {
    what: 'trailers',
    section: '7.1.2',
    bytes: '5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n',
    framed: '5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n',
    bare: 'hello',
  },
  {
    what: 'extensions and trailers in one',
    section: '7.1.2',
    bytes: '1;x=y\r\na\r\n2;z\r\nbc\r\n0;q\r\nD: e\r\n\r\n',
    framed: '1\r\na\r\n2\r\nbc\r\n0\r\nD: e\r\n\r\n',
    bare: 'abc',
  },
  {
    what: 'what stands behind it, which it leaves',
    section: '9.3',
    bytes: `${hello}GET / HTTP/1.1`,
    framed: hello,
    bare: 'hello',
    rest: 'GET / HTTP/1.1',
  },
];

const refusals: readonly {
  readonly what: string;
  readonly section: string;
  readonly bytes: string;
  readonly fault: string;
}[] = [
  { what: 'no size', section: '9112, 7.1', bytes: '\r\nhello', fault: 'chunk-size' },
  { what: 'a size that is no number', section: '9112, 7.1', bytes: 'g\r\n', fault: 'chunk-size' },
  { what: 'a signed size', section: '9112, 7.1', bytes: '+5\r\nhello\r\n', fault: 'chunk-size' },
  { what: 'a negative size', section: '9112, 7.1', bytes: '-5\r\nhello\r\n', fault: 'chunk-size' },
  { what: 'a size with 0x', section: '9112, 7.1', bytes: '0x5\r\nhello\r\n', fault: 'chunk-size' },
  { what: 'a size with "_"', section: '9112, 7.1', bytes: '1_0\r\n', fault: 'chunk-size' },
  { what: 'a space before the size', section: '9112, 7.1', bytes: ' 5\r\nhello\r\n', fault: 'chunk-size' },
  { what: 'a space behind the size', section: '9112, 7.1', bytes: '5 \r\nhello\r\n', fault: 'chunk-size' },
  { what: 'a tab behind the size', section: '9112, 7.1', bytes: '5\t\r\nhello\r\n', fault: 'chunk-size' },
  { what: 'a NUL behind the size', section: '9112, 7.1', bytes: '5\0\r\nhello\r\n', fault: 'chunk-size' },
  { what: 'a size of 13 digits', section: '9112, 7.1', bytes: `${'0'.repeat(12)}5\r\nhello\r\n`, fault: 'chunk-size' },
  { what: 'a size beyond 2^64', section: '9112, 7.1', bytes: '10000000000000005\r\n', fault: 'chunk-size' },
  { what: 'a bare LF behind the size', section: '9112, 2.2', bytes: '5\nhello\r\n', fault: 'chunk-size' },
  { what: 'a bare CR behind the size', section: '9112, 2.2', bytes: '5\rhello\r\n', fault: 'bare-cr' },
  { what: 'a chunk longer than its size', section: '9112, 7.1', bytes: '4\r\nhello\r\n', fault: 'chunk-end' },
  { what: 'a chunk shorter than its size', section: '9112, 7.1', bytes: '6\r\nhello\r\n0', fault: 'chunk-end' },
  { what: 'a bare LF behind a chunk', section: '9112, 2.2', bytes: '5\r\nhello\n0\r\n\r\n', fault: 'chunk-end' },
  { what: 'a bare CR behind a chunk', section: '9112, 2.2', bytes: '5\r\nhello\r0\r\n\r\n', fault: 'chunk-end' },
  { what: 'nothing between two chunks', section: '9112, 7.1', bytes: '1\r\na1\r\nb\r\n0\r\n\r\n', fault: 'chunk-end' },
  { what: 'an extension without a name', section: '9112, 7.1.1', bytes: '5;\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'a value without a name', section: '9112, 7.1.1', bytes: '5;=a\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'a name without its value', section: '9112, 7.1.1', bytes: '5;a=\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'two values', section: '9112, 7.1.1', bytes: '5;a=b=c\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'a space in an extension', section: '9112, 7.1.1', bytes: '5; a\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'a bare LF in an extension', section: '9112, 2.2', bytes: '5;a\nb\r\n', fault: 'chunk-extension' },
  { what: 'a NUL in an extension', section: '9112, 7.1.1', bytes: '5;a\0\r\n', fault: 'chunk-extension' },
  { what: 'a bare CR behind an extension', section: '9112, 2.2', bytes: '5;a\rb\r\n', fault: 'bare-cr' },
  { what: 'quotes that do not end', section: '9112, 7.1.1', bytes: '5;a="b\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'CR LF within quotes', section: '9112, 7.1.1', bytes: '5;a="\r\n"\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'an escaped CR', section: '9112, 7.1.1', bytes: '5;a="\\\r\n"\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'text behind quotes', section: '9112, 7.1.1', bytes: '5;a="b"c\r\nhello\r\n', fault: 'chunk-extension' },
  { what: 'quotes within a value', section: '9112, 7.1.1', bytes: '5;a=b"c"\r\nhello\r\n', fault: 'chunk-extension' },
  {
    what: 'extensions of 257 octets',
    section: '9112, 7.1.1',
    bytes: `5;${'a'.repeat(256)}`,
    fault: 'chunk-extension',
  },
  { what: 'a folded trailer', section: '9112, 5.2', bytes: '0\r\nA: b\r\n c\r\n\r\n', fault: 'line-folding' },
  { what: 'a trailer without a colon', section: '9112, 7.1.2', bytes: '0\r\nA\r\n\r\n', fault: 'header-name' },
  { what: 'a space before its colon', section: '9112, 5.1', bytes: '0\r\nA : b\r\n\r\n', fault: 'header-name' },
  { what: 'a NUL in a trailer', section: '9110, 5.5', bytes: '0\r\nA: \0\r\n\r\n', fault: 'header-value' },
  { what: 'a bare LF behind a trailer', section: '9112, 2.2', bytes: '0\r\nA: b\n\r\n', fault: 'line-end' },
  { what: 'a bare LF in place of trailers', section: '9112, 2.2', bytes: '0\r\n\n', fault: 'line-end' },
  { what: 'a bare CR in place of trailers', section: '9112, 2.2', bytes: '0\r\n\rx', fault: 'bare-cr' },
  {
    what: '257 trailers',
    section: '9112, 7.1.2',
    bytes: `0\r\n${'a: b\r\n'.repeat(257)}\r\n`,
    fault: 'too-many-headers',
  },
  ...[
    'Content-Length: 1',
    'transfer-encoding: chunked',
    'Host: a',
    'Connection: close',
    'Keep-Alive: a',
    'Proxy-Connection: a',
    'Proxy-Authorization: a',
    'Authorization: a',
    'Cookie: a',
    'SET-COOKIE: a',
    'Content-Type: a',
    'Content-Encoding: a',
    'Content-Range: a',
    'Cache-Control: a',
    'Expect: 100-continue',
    'Max-Forwards: 1',
    'Range: a',
    'TE: trailers',
    'Trailer: a',
    'Upgrade: a',
    'X-Forwarded-For: a',
    'Forwarded: for=a',
    'X-Sluice-Instance: a',
    'X-Sluice-Reason: a',
  ].map((line) => ({
    what: `a trailer that is too late: ${line}`,
    section: '9110, 6.5.1',
    bytes: `0\r\nA: b\r\n${line}\r\n\r\n`,
    fault: 'trailer',
  })),
];

describe('a chunked body', () => {
  describe('passes on', () => {
    for (const { what, section, bytes, framed, bare, rest = '' } of passed) {
      for (const [output, sent] of [
        ['framed', framed],
        ['bare', bare],
      ] as const) {
        it(`${what}, ${output} (RFC 9112, ${section})`, () => {
          const want: Outcome = { sent, is: 'done', rest };
          expect(read([bytes], output)).to.deep.equal(want);
          for (const pieces of cutsOf(bytes)) expect(read(pieces, output)).to.deep.equal(want);
        });
      }
    }
  });

  describe('is refused with', () => {
    for (const { what, section, bytes, fault } of refusals) {
      it(`${what} (RFC ${section})`, () => {
        expect(read([bytes])).to.deep.include({ is: 'refused', fault });
        for (const pieces of cutsOf(bytes)) expect(read(pieces)).to.deep.include({ is: 'refused', fault });
      });
    }
  });

  it('sends nothing on of trailers before all of them are checked', () => {
    expect(read(['0\r\nA: b\r\n'])).to.deep.equal({ sent: '0\r\n', is: 'under way' });
    expect(read(['0\r\nA: b\r\nHost: c\r\n\r\n'])).to.deep.equal({ sent: '0\r\n', is: 'refused', fault: 'trailer' });
  });

  it('has a limit of 16 KiB for its trailers, in one piece as in many', () => {
    const trailers = (bytes: number) => `0\r\nA: ${'b'.repeat(bytes - 7)}\r\n\r\n`;
    const most = trailers(16 * 1024);
    const tooLarge = { sent: '0\r\n', is: 'refused', fault: 'trailer-too-large' };
    for (const cut of [1, 5, 100, 9_000, 16 * 1024]) {
      expect(read([most.slice(0, cut), most.slice(cut)])).to.deep.equal({ sent: most, is: 'done', rest: '' });
      for (const more of [trailers(16 * 1024 + 1), trailers(20_000), trailers(40_000)]) {
        expect(read([more.slice(0, cut), more.slice(cut)])).to.deep.equal(tooLarge);
      }
    }
  });

  it('is exact in chunks beyond 4 GiB', () => {
    const body = new ChunkedBody();
    body.reset('framed');
    const size = Buffer.from('100000001\r\n');
    const data = Buffer.alloc(1024 * 1024, 'x');
    expect(body.consume(size, 0, size.length)).to.equal(0);
    for (let n = 0; n < 4_096; n++) expect(body.consume(data, 0, data.length)).to.equal(0);
    const end = Buffer.from('x\r\n0\r\n\r\n');
    expect(body.consume(end, 0, end.length)).to.equal(0);
    expect([body.isDone, body.next]).to.deep.equal([true, end.length]);
  });

  it('can be read anew after one that broke off, and knows nothing of it', () => {
    const body = new ChunkedBody();
    for (const broken of ['5;a="', '5\r\nhel', '0\r\nA: b\r\n', 'fff', 'x']) {
      read([broken], 'framed', body);
      expect(read([hello], 'framed', body)).to.deep.equal({ sent: hello, is: 'done', rest: '' });
    }
  });
});
