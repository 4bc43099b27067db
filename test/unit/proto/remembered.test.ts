import { expect } from 'chai';
import fc from 'fast-check';
import { remembering } from '../../../proto/remembered.ts';

const long = (letter: string) => Buffer.from(letter.repeat(2_000));

describe('decoding with a memory', () => {
  let decoded: number;
  let decode: (bytes: Buffer) => { readonly text: string };
  beforeEach(() => {
    decoded = 0;
    decode = remembering((bytes) => {
      decoded++;
      return { text: bytes.toString() };
    });
  });

  it('decodes the same bytes once', () => {
    const first = decode(long('a'));
    expect(decode(long('a'))).to.equal(first);
    expect(decoded).to.equal(1);
  });

  it('does not keep what is short', () => {
    for (let turn = 0; turn < 2; turn++) decode(Buffer.from('a'));
    expect(decoded).to.equal(2);
  });

  it('forgets what was not met for long', () => {
    for (const letter of 'abcdefghia') decode(long(letter));
    expect(decoded).to.equal(10);
  });

  it('is not deceived when the bytes change under it', () => {
    const bytes = long('a');
    decode(bytes);
    bytes.fill('b');
    expect(decode(bytes).text).to.equal(long('b').toString());
  });

  it('keeps nothing of what cannot be decoded', () => {
    const failing = remembering(() => {
      throw new Error('no');
    });
    for (let turn = 0; turn < 2; turn++) expect(() => failing(long('a'))).to.throw('no');
  });

  it('property: yields what decoding without a memory yields', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'abcdefghijkl'), { maxLength: 40 }), (letters) => {
        for (const letter of letters) expect(decode(long(letter)).text).to.equal(long(letter).toString());
      }),
    );
  });
});
