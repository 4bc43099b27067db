import { expect } from 'chai';
import fc from 'fast-check';
import { addUp, isTally, withoutActive } from '../../../../agent/workers/tally.ts';
import { fuzz } from '../../model/fuzz-runs.ts';

/** Statistics of a made-up kind: some names stand in one of them alone. */
const statistics = fc.record({
  requests: fc.nat(),
  active: fc.nat(9),
  refused: fc.dictionary(fc.constantFrom('timeout', 'no-route', '__proto__'), fc.nat(), { noNullPrototype: true }),
  durations: fc.record({ sum: fc.nat(), buckets: fc.array(fc.nat(), { minLength: 3, maxLength: 3 }) }),
});

describe('adding up statistics', () => {
  it('adds numbers at any depth, list by list, and takes what stands in one of them alone', () => {
    const one = { requests: 2, active: 1, refused: { timeout: 1 }, durations: { buckets: [1, 0] } };
    const other = { requests: 3, active: 0, refused: { 'no-route': 4 }, durations: { buckets: [1, 1, 5] } };
    expect(addUp<object>(one, [other])).to.deep.equal({
      requests: 5,
      active: 1,
      refused: { timeout: 1, 'no-route': 4 },
      durations: { buckets: [2, 1, 5] },
    });
  });

  it('is what it was without anything to add', () => expect(addUp({ requests: 2 }, [])).to.deep.equal({ requests: 2 }));

  it('refuses what is no number', () => {
    expect(() => addUp<object>({ requests: 1 }, [{ requests: 'many' }])).to.throw(/more than numbers/);
    expect([isTally({ a: [1, { b: 2 }] }), isTally({ a: null }), isTally('1'), isTally(undefined)]).to.deep.equal([
      true,
      false,
      false,
      false,
    ]);
  });

  it('property: the order does not matter', () => {
    fc.assert(
      fc.property(fc.array(statistics, { minLength: 2, maxLength: 5 }), (all) => {
        const [first, ...others] = all;
        const [last, ...before] = [...all].reverse();
        if (first !== undefined && last !== undefined) {
          expect(addUp(first, others)).to.deep.equal(addUp(last, before));
        }
      }),
      fuzz,
    );
  });
});

describe('statistics of a process that has ended', () => {
  it('have nothing under way any more', () => {
    const tally = { requests: 7, active: 2, clusters: { a: { active: { requests: 1, retries: 1 }, requests: 3 } } };
    expect(withoutActive(tally)).to.deep.equal({
      requests: 7,
      active: 0,
      clusters: { a: { active: { requests: 0, retries: 0 }, requests: 3 } },
    });
  });
});
