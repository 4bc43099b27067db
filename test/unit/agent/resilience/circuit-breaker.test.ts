import { expect } from 'chai';
import fc from 'fast-check';
import {
  type BreakerLimits,
  CircuitBreaker,
  defaultBreakerLimits,
  noLimit,
} from '../../../../agent/resilience/circuit-breaker.ts';
import { fuzzRuns } from '../../routing/resources.ts';

const limits = (some: Partial<BreakerLimits>): BreakerLimits => ({ ...defaultBreakerLimits, ...some });

/** How many of `count` acquisitions succeed. */
function granted(tryAcquire: () => boolean, count: number): number {
  return Array.from({ length: count }, tryAcquire).filter(Boolean).length;
}

describe('a circuit breaker', () => {
  for (const { what, limit, tryAcquire, release, overflow } of [
    {
      what: 'connections',
      limit: { maxConnections: 2 },
      tryAcquire: (breaker: CircuitBreaker) => breaker.tryAcquireConnection(),
      release: (breaker: CircuitBreaker) => breaker.releaseConnection(),
      overflow: 'connectionOverflow',
    },
    {
      what: 'pending',
      limit: { maxPendingRequests: 2 },
      tryAcquire: (breaker: CircuitBreaker) => breaker.tryAcquirePending(),
      release: (breaker: CircuitBreaker) => breaker.releasePending(),
      overflow: 'pendingOverflow',
    },
    {
      what: 'requests',
      limit: { maxRequests: 2 },
      tryAcquire: (breaker: CircuitBreaker) => breaker.tryAcquireRequest(),
      release: (breaker: CircuitBreaker) => breaker.releaseRequest(),
      overflow: 'requestOverflow',
    },
    {
      what: 'retries',
      limit: { retries: { is: 'fixed', maxRetries: 2 } },
      tryAcquire: (breaker: CircuitBreaker) => breaker.tryAcquireRetry(),
      release: (breaker: CircuitBreaker) => breaker.releaseRetry(),
      overflow: 'retryOverflow',
    },
  ] as const) {
    it(`lets as many ${what} through as its limit says, and counts the others`, () => {
      const breaker = new CircuitBreaker(limits(limit));
      expect(granted(() => tryAcquire(breaker), 5)).to.equal(2);
      expect(breaker.counts).to.deep.include({ [what]: 2, [overflow]: 3 });
      release(breaker);
      expect([tryAcquire(breaker), tryAcquire(breaker)]).to.deep.equal([true, false]);
    });
  }

  it('limits nothing that nobody asked for, but who waits', () => {
    const breaker = new CircuitBreaker(defaultBreakerLimits);
    expect(granted(() => breaker.tryAcquireRequest(), 5_000)).to.equal(5_000);
    expect(granted(() => breaker.tryAcquireConnection(), 5_000)).to.equal(5_000);
    expect(granted(() => breaker.tryAcquirePending(), 5_000)).to.equal(1_024);
  });

  it('gives one connection more to an instance that has none', () => {
    const breaker = new CircuitBreaker(limits({ maxConnections: 1 }));
    breaker.acquireConnection();
    breaker.acquireConnection();
    expect([breaker.counts.connections, breaker.tryAcquireConnection()]).to.deep.equal([2, false]);
  });

  it('goes on counting with other limits after a swap, whoever releases', () => {
    const before = new CircuitBreaker(limits({ maxRequests: noLimit }));
    granted(() => before.tryAcquireRequest(), 5);
    const after = new CircuitBreaker(limits({ maxRequests: 5 }), before);
    expect(after.tryAcquireRequest()).to.equal(false);
    before.releaseRequest();
    expect(after.tryAcquireRequest()).to.equal(true);
    expect(before.counts).to.equal(after.counts);
  });

  for (const { name, requests, pending, want } of [
    { name: 'three when little is under way', requests: 5, pending: 0, want: 3 },
    { name: 'a fifth of what is under way', requests: 50, pending: 0, want: 10 },
    { name: 'a fifth of what waits, too', requests: 20, pending: 30, want: 10 },
    { name: 'rounded down', requests: 19, pending: 0, want: 3 },
  ]) {
    it(`has a retry budget: ${name}`, () => {
      const breaker = new CircuitBreaker(defaultBreakerLimits);
      granted(() => breaker.tryAcquireRequest(), requests);
      granted(() => breaker.tryAcquirePending(), pending);
      expect(granted(() => breaker.tryAcquireRetry(), 100)).to.equal(want);
    });
  }

  it('property: counts what is held, within the limits, whatever comes in which order', () => {
    const steps = fc.array(fc.constantFrom<'try' | 'release'>('try', 'try', 'release'), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 10 }), (list, maxRequests) => {
        const breaker = new CircuitBreaker(limits({ maxRequests }));
        let held = 0;
        for (const step of list) {
          if (step === 'try') held += Number(breaker.tryAcquireRequest());
          else if (held > 0) {
            held--;
            breaker.releaseRequest();
          }
          expect(breaker.counts.requests).to.equal(held).and.to.be.at.most(maxRequests);
        }
      }),
      { numRuns: fuzzRuns },
    );
  });
});
