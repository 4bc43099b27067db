import { expect } from 'chai';
import fc from 'fast-check';
import type { Input } from '../../../../proto/load.ts';
import { LoadStatsRequest } from '../../../../proto/types.ts';
import { mostClusters, mostLocalities, readReport } from '../../../../server/load-reports/read-report.ts';

type Stats = NonNullable<Input<LoadStatsRequest>['clusterStats']>;

/** As it comes over the wire. */
const read = (clusterStats: Stats, elapsedMs = 5_000) =>
  readReport(LoadStatsRequest.decode(LoadStatsRequest.encode({ clusterStats })).clusterStats, elapsedMs);

const a = 'a.default|http|';
const many = <T>(count: number, one: T) => Array.from({ length: count }, () => one);

describe('a load report', () => {
  it('says what was sent where, and over which time', () => {
    const report = read([
      {
        clusterName: a,
        loadReportInterval: { seconds: 2, nanos: 500_000_000 },
        upstreamLocalityStats: [
          { locality: { region: 'eu', zone: 'eu-1a', subZone: 'rack' }, totalSuccessfulRequests: 40 },
          { totalErrorRequests: 2, totalRequestsInProgress: 1, totalIssuedRequests: 3 },
        ],
        totalDroppedRequests: 5,
      },
    ]);
    const nowhere = { region: '', zone: '', subZone: '' };
    expect(report).to.deep.equal({
      localities: [
        {
          cluster: a,
          locality: { region: 'eu', zone: 'eu-1a', subZone: 'rack' },
          successes: 40,
          errors: 0,
          inProgress: 0,
          intervalMs: 2_500,
        },
        { cluster: a, locality: nowhere, successes: 0, errors: 2, inProgress: 1, intervalMs: 2_500 },
      ],
      drops: [{ cluster: a, drops: 5, intervalMs: 2_500 }],
    });
  });

  it('leaves out where nothing happened', () => {
    expect(read([{ clusterName: a, upstreamLocalityStats: [{}] }, { clusterName: 'b' }])).to.deep.equal({
      localities: [],
      drops: [],
    });
  });

  for (const { name, interval, wanted } of [
    { name: 'no interval', interval: undefined, wanted: 5_000 },
    { name: 'an interval of nothing', interval: { seconds: 0 }, wanted: 5_000 },
    { name: 'a negative interval', interval: { seconds: -1 }, wanted: 5_000 },
    { name: 'an interval of a nanosecond', interval: { nanos: 1 }, wanted: 100 },
  ]) {
    it(`makes no absurd rate of ${name}`, () => {
      const stats = { clusterName: a, totalDroppedRequests: 1, ...(interval && { loadReportInterval: interval }) };
      expect(read([stats])).to.deep.include({ drops: [{ cluster: a, drops: 1, intervalMs: wanted }] });
    });
  }

  for (const { name, stats } of [
    { name: 'too many clusters', stats: many(mostClusters + 1, { clusterName: a }) },
    {
      name: 'too many localities',
      stats: many(2, { clusterName: a, upstreamLocalityStats: many(mostLocalities / 2 + 1, {}) }),
    },
    { name: 'a cluster without a name', stats: [{}] },
    { name: 'a name without an end', stats: [{ clusterName: 'x'.repeat(513) }] },
    {
      name: 'a locality without an end',
      stats: [{ clusterName: a, upstreamLocalityStats: [{ locality: { zone: 'x'.repeat(513) } }] }],
    },
    {
      name: 'more requests than there can be',
      stats: [{ clusterName: a, upstreamLocalityStats: [{ totalSuccessfulRequests: 2 ** 60 }] }],
    },
    { name: 'more drops than there can be', stats: [{ clusterName: a, totalDroppedRequests: 2 ** 60 }] },
  ]) {
    it(`is refused with a sentence for ${name}`, () => expect(read(stats)).to.be.a('string').with.length.above(10));
  }

  it('property: is read or refused, whatever bytes come, and every number read is finite and not negative', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let message: LoadStatsRequest;
        try {
          message = LoadStatsRequest.decode(bytes);
        } catch {
          return;
        }
        const report = readReport(message.clusterStats, 1_000);
        if (typeof report === 'string') return;
        const numbers = [...report.localities, ...report.drops].flatMap((each) =>
          Object.values(each).filter((value) => typeof value === 'number'),
        );
        expect(numbers.every((value) => Number.isFinite(value) && value >= 0)).to.equal(true);
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 300) },
    );
  });
});
