import { expect } from 'chai';
import fc from 'fast-check';
import { OutgoingRequest } from '../../../../agent/proxy/outgoing-request.ts';
import { fuzz } from '../../model/fuzz-runs.ts';

/** So many of each letter in turn. */
function words(lengths: readonly number[], letters: string): Buffer[] {
  return lengths.map((length, index) => Buffer.alloc(length, letters[index]));
}

describe('the bytes of a request that may be sent again', () => {
  it('are its head, its end for who is asked now, and all of the body: a property', () => {
    const lengths = (max: number) => fc.array(fc.nat({ max }), { minLength: 1, maxLength: 4 });
    fc.assert(
      // Around the size that a buffer has at first.
      fc.property(fc.nat({ max: 1_100 }), lengths(200), lengths(400), (begun, endLengths, partLengths) => {
        const ends = words(endLengths, 'ABCD');
        const parts = words(partLengths, 'abcd');
        const request = new OutgoingRequest();
        request.begin();
        request.writer.text('-'.repeat(begun + 1));
        request.endHead(ends[0] ?? expect.fail());
        for (const part of parts) request.keep(part, 0, part.length);
        for (const end of ends.slice(1)) request.endHead(end);
        const { headLength, bodyStart, writer } = request;
        const stretch = (from: number, to: number) => writer.bytes.toString('latin1', from, to);
        expect([
          stretch(0, headLength),
          stretch(headLength, bodyStart),
          stretch(bodyStart, writer.length),
        ]).to.deep.equal(['-'.repeat(begun + 1), String(ends.at(-1)), parts.join('')]);
        request.end();
      }),
      fuzz,
    );
  });

  it('have room for an end that is longer than the one before, where there was none', () => {
    const request = new OutgoingRequest();
    request.begin();
    const { length } = request.writer.bytes;
    request.writer.text('-'.repeat(length - 12));
    request.endHead(Buffer.from('\r\n'));
    request.keep(Buffer.from('0123456789'), 0, 10);
    request.endHead(Buffer.from('longer\r\n'));
    const { writer } = request;
    expect(writer.bytes.toString('latin1', length - 12, writer.length)).to.equal('longer\r\n0123456789');
  });
});
