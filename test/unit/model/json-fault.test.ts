import { expect } from 'chai';
import fc from 'fast-check';
import { findJsonFault } from '../../../model/json-fault.ts';

const runs = Number(process.env.SLUICE_FUZZ_RUNS ?? 200);

describe('the place where a text stops being JSON', () => {
  for (const { text, at, found } of [
    { text: '', at: '1:1', found: 'expected a value, found the end' },
    { text: '{"a":1,}', at: '1:8', found: 'expected a name in double quotes, found "}"' },
    { text: '{\n  "a": 1\n  "b": 2\n}', at: '3:3', found: 'expected ","' },
    { text: '[1, 2', at: '1:6', found: 'found the end' },
    { text: '[1, 2}', at: '1:6', found: 'found "}"' },
    { text: "{'a': 1}", at: '1:2', found: 'expected a name in double quotes or "}"' },
    { text: '{"a": nul}', at: '1:7', found: 'expected a value, found "n"' },
    { text: '01', at: '1:2', found: 'expected nothing more' },
    { text: '"line\nbreak"', at: '1:1', found: 'expected a value' },
    { text: '{} {}', at: '1:4', found: 'expected nothing more' },
  ]) {
    it(`is ${at} in ${JSON.stringify(text)}`, () => {
      const fault = findJsonFault(text);
      expect(`${fault?.line}:${fault?.column}`).to.equal(at);
      expect(fault?.message).to.contain(found);
    });
  }

  it('finds nothing in a string of megabytes and in deep lists', () => {
    expect(findJsonFault(JSON.stringify('x\\"'.repeat(1_500_000)))).to.equal(undefined);
    expect(findJsonFault('['.repeat(1_000_000) + ']'.repeat(1_000_000))).to.equal(undefined);
  });

  it('property: finds a fault exactly when JSON.parse does', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '1',
      '-0.5e3',
      'null',
      ' ',
      '\n',
      '"',
      '\\',
      '01',
    );
    const texts = fc.oneof(
      fc.json(),
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
      fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 })).map(([text, at, extra]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + extra + text.slice(place + 1);
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(findJsonFault(text) === undefined).to.equal(isJson(text));
      }),
      { numRuns: runs * 5 },
    );
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
