import { expect } from 'chai';
import { BodyReader } from '../../../../agent/http1/body-reader.ts';
import type { ChunkedOutput } from '../../../../agent/http1/chunked-body.ts';
import { describeFault } from '../../../../agent/http1/fault.ts';
import type { BodyKind } from '../../../../agent/http1/framing.ts';

interface Reading {
  readonly sent: string;
  readonly isDone: boolean;
  readonly rest: string;
}

function read(pieces: readonly string[], kind: BodyKind, length = 0, output: ChunkedOutput = 'framed'): Reading {
  const body = new BodyReader();
  body.reset(kind, length, output);
  let sent = '';
  let rest = '';
  for (const piece of pieces) {
    const bytes = Buffer.from(`>>${piece}<<`, 'latin1');
    const to = 2 + piece.length;
    if (body.isDone) {
      rest += piece;
      continue;
    }
    expect(body.consume(bytes, 2, to)).to.equal(0);
    sent += bytes.toString('latin1', body.from, body.to) + (body.trailers ?? '').toString();
    rest += bytes.toString('latin1', body.next, to);
  }
  return { sent, isDone: body.isDone, rest };
}

describe('the body of a message', () => {
  for (const { what, bytes, kind, length, output, want } of [
    { what: 'none', bytes: 'GET', kind: 'none', want: { sent: '', isDone: true, rest: 'GET' } },
    {
      what: 'a length',
      bytes: 'helloGET',
      kind: 'sized',
      length: 5,
      want: { sent: 'hello', isDone: true, rest: 'GET' },
    },
    {
      what: 'a length not reached',
      bytes: 'hel',
      kind: 'sized',
      length: 5,
      want: { sent: 'hel', isDone: false, rest: '' },
    },
    { what: 'the end', bytes: 'helloGET', kind: 'until-close', want: { sent: 'helloGET', isDone: false, rest: '' } },
    {
      what: 'chunks',
      bytes: '2;x\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\nGET',
      kind: 'chunked',
      want: { sent: '2\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n', isDone: true, rest: 'GET' },
    },
    {
      what: 'chunks, for one who reads none',
      bytes: '2;x\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\nGET',
      kind: 'chunked',
      output: 'bare',
      want: { sent: 'hello', isDone: true, rest: 'GET' },
    },
  ] satisfies {
    what: string;
    bytes: string;
    kind: BodyKind;
    length?: number;
    output?: ChunkedOutput;
    want: Reading;
  }[]) {
    it(`by ${what}, wherever it is cut (RFC 9112, 6.3)`, () => {
      expect(read([bytes], kind, length, output)).to.deep.equal(want);
      for (let cut = 1; cut < bytes.length; cut++) {
        const pieces = [bytes.slice(0, cut), bytes.slice(cut)];
        expect(read(pieces, kind, length, output), `cut at ${cut}`).to.deep.equal(want);
      }
      expect(read([...bytes], kind, length, output)).to.deep.equal(want);
    });
  }

  it('is exact in lengths beyond 4 GiB', () => {
    const body = new BodyReader();
    body.reset('sized', 2 ** 32 + 1, 'framed');
    const data = Buffer.alloc(1024 * 1024);
    for (let n = 0; n < 4_096; n++) body.consume(data, 0, data.length);
    expect([body.isDone, body.to]).to.deep.equal([false, data.length]);
    body.consume(data, 0, data.length);
    expect([body.isDone, body.to, body.next]).to.deep.equal([true, 1, 1]);
  });

  it('says what is wrong with it, and what came before', () => {
    const body = new BodyReader();
    body.reset('chunked', 0, 'framed');
    const bytes = Buffer.from('1\r\na\r\nx');
    expect(describeFault(body.consume(bytes, 0, bytes.length)).name).to.equal('chunk-size');
    expect(bytes.toString('latin1', body.from, body.to)).to.equal('1\r\na\r\n');
  });

  it('has trailers for one call alone, and none in the next body', () => {
    const body = new BodyReader();
    body.reset('chunked', 0, 'framed');
    const bytes = Buffer.from('0\r\nA: b\r\n\r\n');
    body.consume(bytes, 0, bytes.length);
    expect(body.trailers?.toString()).to.equal('A: b\r\n\r\n');
    body.reset('sized', 1, 'framed');
    expect(body.trailers).to.equal(undefined);
    body.reset('chunked', 0, 'framed');
    expect(body.trailers).to.equal(undefined);
  });
});
