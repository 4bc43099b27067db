import { expect } from 'chai';
import fc from 'fast-check';
import { type Attempt, type Ended, firstAttempt, nextAttempt } from '../../../../agent/registration/backoff.ts';
import { fuzz } from '../../model/fuzz-runs.ts';

const failed = (failures: number): Attempt => ({ server: 0, failures, delayMs: 0 });
const lost: Ended = { how: 'lost', livedMs: 0 };

describe('reconnecting', () => {
  for (const { name, failures, ended, want } of [
    {
      name: 'waits up to 200 ms after the first failure',
      failures: 0,
      ended: lost,
      want: { failures: 1, upToMs: 200 },
    },
    {
      name: 'waits twice as long after each further one',
      failures: 3,
      ended: lost,
      want: { failures: 4, upToMs: 1_600 },
    },
    { name: 'never waits more than 5 s', failures: 60, ended: lost, want: { failures: 61, upToMs: 5_000 } },
    {
      name: 'begins anew after a connection that was healthy',
      failures: 9,
      ended: { how: 'lost', livedMs: 10_000 },
      want: { failures: 0, upToMs: 100 },
    },
    {
      name: 'comes back quickly when the server ended the connection on purpose',
      failures: 9,
      ended: { how: 'ok', livedMs: 1_000 },
      want: { failures: 0, upToMs: 100 },
    },
    {
      name: 'does not come back quickly to a server that ends each connection at once',
      failures: 3,
      ended: { how: 'ok', livedMs: 10 },
      want: { failures: 4, upToMs: 1_600 },
    },
    {
      name: 'comes back slowly to servers that refuse',
      failures: 0,
      ended: { how: 'refused', livedMs: 0 },
      want: { failures: 1, upToMs: 5_000 },
    },
  ] as const) {
    it(name, () => {
      const { failures: got, delayMs } = nextAttempt(failed(failures), ended, 1, () => 1);
      expect({ failures: got, upToMs: delayMs }).to.deep.equal(want);
    });
  }

  it('waits at least 2.5 s when refused', () => {
    expect(nextAttempt(failed(0), { how: 'refused', livedMs: 0 }, 1, () => 0).delayMs).to.equal(2_500);
  });

  it('goes round the servers, from any of them', () => {
    const first = firstAttempt(3, () => 0.5);
    const second = nextAttempt(first, lost, 3, () => 0);
    const third = nextAttempt(second, lost, 3, () => 0);
    expect([first, second, third].map(({ server }) => server)).to.deep.equal([1, 2, 0]);
  });

  it('property: never waits longer than 5 s and always names a server', () => {
    const ends = fc.array(fc.record({ how: fc.constantFrom('ok', 'refused', 'lost'), livedMs: fc.nat() }));
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(ends, fc.integer({ min: 1, max: 5 }), chance, (sequence, servers, drawn) => {
        let attempt = firstAttempt(servers, () => drawn);
        for (const ended of sequence) {
          attempt = nextAttempt(attempt, ended, servers, () => drawn);
          expect(attempt.delayMs).to.be.within(0, 5_000);
          expect(attempt.server).to.be.within(0, servers - 1);
        }
      }),
      fuzz,
    );
  });
});
