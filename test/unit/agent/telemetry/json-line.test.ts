import { expect } from 'chai';
import fc from 'fast-check';
import { fragment, JsonLine } from '../../../../agent/telemetry/json-line.ts';
import { fuzzRuns } from '../../routing/resources.ts';

function lineOf(write: (line: JsonLine) => void): string {
  const line = new JsonLine();
  line.begin();
  write(line);
  line.end();
  return line.bytes.toString('utf8', 0, line.length);
}

describe('a line of JSON', () => {
  it('has what is written, in its order', () => {
    const text = lineOf((line) => {
      line.text('a', 'one');
      line.add(
        fragment((to) => {
          to.text('b', 'two');
          to.number('c', 3);
        }),
      );
      line.octets('d', Buffer.from('a GET b'), 2, 5);
      line.milliseconds('e', 1.5);
    });
    expect(text).to.equal('{"a":"one","b":"two","c":3,"d":"GET","e":1.5}');
  });

  it('begins anew, however long the one before was', () => {
    const line = new JsonLine();
    for (const text of ['x'.repeat(500), 'y']) {
      line.begin();
      for (let n = 0; n < 20; n++) line.text(`k${n}`, text);
      line.end();
    }
    expect(Object.values(JSON.parse(line.bytes.toString('utf8', 0, line.length)))).to.deep.equal(Array(20).fill('y'));
  });

  for (const { ms, want } of [
    { ms: 0, want: 0 },
    { ms: -1, want: null },
    { ms: 0.000_4, want: 0 },
    { ms: 0.000_6, want: 0.001 },
    { ms: 0.05, want: 0.05 },
    { ms: 1.234_567, want: 1.235 },
    { ms: 999.999_9, want: 1_000 },
    { ms: 86_400_000.5, want: 86_400_000.5 },
  ]) {
    it(`writes ${ms} ms as ${want}`, () =>
      expect(JSON.parse(lineOf((line) => line.milliseconds('ms', ms)))).to.deep.equal({ ms: want }));
  }

  it('cuts what is too long', () => {
    const long = 'x'.repeat(3_000);
    const cut = JSON.parse(
      lineOf((line) => {
        line.text('text', long);
        line.octets('octets', Buffer.from(long), 0, 3_000);
        line.octets('longer', Buffer.from(long), 0, 3_000, 2_048);
      }),
    );
    expect(cut).to.deep.equal({
      text: `${'x'.repeat(512)}…`,
      octets: `${'x'.repeat(512)}…`,
      longer: `${'x'.repeat(2_048)}…`,
    });
  });

  it('has the property that any text comes back, and that the line is one line of printable ASCII', () => {
    const anyText = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 });
    const anyOctets = fc.uint8Array({ minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(anyText, anyOctets, fc.nat(), (text, octets, number) => {
        const bytes = Buffer.from(octets);
        const written = lineOf((line) => {
          line.text('text', text);
          line.octets('octets', bytes, 0, bytes.length);
          line.number('number', number);
        });
        expect(written).to.match(/^[ -~]+$/);
        expect(JSON.parse(written)).to.deep.equal({ text, octets: bytes.toString('latin1'), number });
      }),
      { numRuns: fuzzRuns },
    );
  });
});
