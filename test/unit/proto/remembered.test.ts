import { expect } from 'chai';
import fc from 'fast-check';
import { remembering } from '../../../proto/remembered.ts';
import { Any } from '../../../proto/types.ts';

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

  it('keeps of what is short the last one alone', () => {
    for (const letter of 'aabba') expect(decode(Buffer.from(letter)).text).to.equal(letter);
    expect(decoded).to.equal(3);
  });

  it('forgets what was not met for long', () => {
    for (const letter of 'abcdefghia') decode(long(letter));
    expect(decoded).to.equal(10);
  });

  for (const length of [1, 2_000]) {
    it(`is not deceived when the bytes change under it (${length})`, () => {
      const bytes = Buffer.alloc(length, 'a');
      decode(bytes);
      bytes.fill('b');
      expect(decode(bytes).text).to.equal('b'.repeat(length));
    });
  }

  for (const { name, length } of [
    { name: 'short', length: 10 },
    { name: 'long', length: 2_000 },
  ]) {
    it(`holds bytes of its own: what was read into the same place since is not seen in them (${name})`, () => {
      const ofAny = remembering((bytes) => Any.decode(bytes));
      const value = Buffer.alloc(length, 'a');
      const bytes = Any.encode({ type_url: 'x', value });
      const decoded = ofAny(bytes);
      bytes.fill('b');
      expect(Buffer.from(decoded.value)).to.deep.equal(value);
    });
  }

  it('keeps nothing of what cannot be decoded', () => {
    const failing = remembering(() => {
      throw new Error('no');
    });
    for (const bytes of [long('a'), long('a'), Buffer.from('a'), Buffer.from('a')]) {
      expect(() => failing(bytes)).to.throw('no');
    }
  });

  it('property: yields what decoding without a memory yields', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'abcdefghijkl'), { maxLength: 40 }), (letters) => {
        for (const letter of letters) {
          for (const bytes of [long(letter), Buffer.from(letter)])
            expect(decode(bytes).text).to.equal(bytes.toString());
        }
      }),
    );
  });
});
