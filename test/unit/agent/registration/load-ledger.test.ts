import { expect } from 'chai';
import fc from 'fast-check';
import { LoadLedger, type RequestCounts } from '../../../../agent/registration/load-ledger.ts';

const nothing: RequestCounts = { requests: 0, active: 0, successes: 0, errors: 0, drops: 0 };
const counts = (more: Record<string, Partial<RequestCounts>>) =>
  new Map(Object.entries(more).map(([cluster, each]) => [cluster, { ...nothing, ...each }]));

describe('the ledger of load reports', () => {
  it('says what happened since the last report, over which time', () => {
    const ledger = new LoadLedger(0);
    ledger.report(counts({ a: { requests: 10, successes: 8, errors: 1, active: 1 } }), 1_000);
    const report = ledger.report(counts({ a: { requests: 25, successes: 19, errors: 2, active: 3, drops: 1 } }), 3_500);
    expect(report).to.deep.equal([
      {
        clusterName: 'a',
        upstreamLocalityStats: [
          { totalSuccessfulRequests: 11, totalErrorRequests: 1, totalRequestsInProgress: 3, totalIssuedRequests: 14 },
        ],
        totalDroppedRequests: 1,
        loadReportInterval: { seconds: 2, nanos: 500_000_000 },
      },
    ]);
  });

  it('leaves out clusters to which nothing went', () => {
    const ledger = new LoadLedger(0);
    const first = counts({ a: { requests: 1, successes: 1 }, b: { requests: 1, successes: 1 } });
    ledger.report(first, 1_000);
    const next = new Map([...first, ...counts({ b: { requests: 2, successes: 2 } })]);
    expect(ledger.report(next, 2_000)?.map(({ clusterName }) => clusterName)).to.deep.equal(['b']);
  });

  it('says once that nothing happens any more, and then nothing', () => {
    const ledger = new LoadLedger(0);
    expect(ledger.report(counts({}), 1_000)).to.equal(undefined);
    const still = counts({ a: { requests: 1, successes: 1 } });
    expect(ledger.report(still, 2_000)).to.have.lengthOf(1);
    expect(ledger.report(still, 3_000)).to.deep.equal([]);
    expect(ledger.report(still, 4_000)).to.equal(undefined);
  });

  it('goes on saying what is under way, although nothing begins or ends', () => {
    const ledger = new LoadLedger(0);
    const stuck = counts({ a: { requests: 1, active: 1 } });
    ledger.report(stuck, 1_000);
    expect(ledger.report(stuck, 2_000)).to.have.lengthOf(1);
  });

  it('counts a cluster that went and came again from the beginning', () => {
    const ledger = new LoadLedger(0);
    ledger.report(counts({ a: { requests: 9, successes: 9 } }), 1_000);
    const [stats] = ledger.report(counts({ a: { requests: 2, successes: 2 } }), 2_000) ?? [];
    expect(stats?.upstreamLocalityStats?.[0]?.totalSuccessfulRequests).to.equal(2);
  });

  it('property: what is reported adds up to what was counted, in whatever steps', () => {
    const step = fc.record({ successes: fc.nat(5), errors: fc.nat(5), drops: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const ledger = new LoadLedger(0);
        const total = { successes: 0, errors: 0, drops: 0 };
        const told = { successes: 0, errors: 0, drops: 0 };
        for (const [n, { successes, errors, drops }] of steps.entries()) {
          total.successes += successes;
          total.errors += errors;
          total.drops += drops;
          const requests = total.successes + total.errors + total.drops;
          for (const stats of ledger.report(counts({ a: { requests, ...total } }), n) ?? []) {
            const [locality] = stats.upstreamLocalityStats ?? [];
            told.successes += Number(locality?.totalSuccessfulRequests ?? 0);
            told.errors += Number(locality?.totalErrorRequests ?? 0);
            told.drops += Number(stats.totalDroppedRequests ?? 0);
          }
        }
        expect(told).to.deep.equal(total);
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 100) },
    );
  });
});
