/** Many small requests: what one costs, how many a core carries, how long one takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { median, percentile } from '../../support/figures.ts';
import { pace } from '../load/pace.ts';
import { saturate } from '../load/saturate.ts';
import { costOf, measure, type Place, type Result } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';
import { medianOf, megabytes, microseconds, milliseconds, outcomeOf, type RatioTo, rate } from '../table.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { type RequestLoad, requestLoads } from './shapes.ts';

export const requestScenarios: readonly Scenario[] = requestLoads.map((load) => ({
  name: load.name,
  what: load.what,
  run: (peers, place) => run(load, peers, place),
}));

interface Sample {
  /** CPU microseconds per request, at saturation. */
  readonly cpuUs: number;
  readonly requestsPerSecond: number;
  /** Which part of its core's time it used at saturation. */
  readonly busy: number;
  /** CPU microseconds per request at `calmRate`. */
  readonly calmCpuUs: number;
  /** At half of the rate of saturation, or at `mostPaced`. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const connections = 32;
/** Requests per second, for all the same: a service that has something to do, on a proxy that has time. */
const calmRate = 2_000;
/** Beyond this rate, per second, load and backends fill their core and it is they who make requests wait. */
const mostPaced = { kept: 20_000, fresh: 4_000 };

async function run(load: RequestLoad, peers: readonly Peer[], place: Place): Promise<Outcome> {
  const { effort, processes } = place;
  const { requests, isFresh, hops, routes } = load;
  const loadOf = (port: number, seconds: number) => ({ port, requests, connections, seconds });
  const results = await measure<Sample>(
    {
      hops,
      routes,
      async warmUp({ port }) {
        await assertSplit(port);
        await saturate(processes, loadOf(port, effort.warmUpSeconds));
      },
      async sample({ port }, cost) {
        const atLimit = loadOf(port, effort.seconds);
        const limit = await costOf(cost, () => saturate(processes, atLimit));
        const { requestsPerSecond } = limit.answer;
        // Until the connections of that load are closed.
        await sleep(100);
        const most = isFresh ? mostPaced.fresh : mostPaced.kept;
        const half = await pace({ ...atLimit, requestsPerSecond: Math.min(requestsPerSecond / 2, most), isFresh });
        const calm = await costOf(cost, () => pace({ ...atLimit, requestsPerSecond: calmRate, isFresh }));
        return {
          cpuUs: limit.cpuUs / limit.answer.requests,
          requestsPerSecond,
          busy: limit.cpuUs / (effort.seconds * 1_000_000),
          calmCpuUs: calm.cpuUs / calm.answer.requests,
          p50Ms: percentile(half.latenciesMs, 50),
          p99Ms: percentile(half.latenciesMs, 99),
        };
      },
    },
    peers,
    place,
  );
  return outcomeOf(results, ({ cpuUs }) => cpuUs, cellsOf);
}

function cellsOf(result: Result<Sample>, ratioTo: RatioTo<Sample>): Record<string, string> {
  const busy = median(result.samples.map((sample) => sample.busy));
  return {
    'CPU per request': microseconds(medianOf(result, ({ cpuUs }) => cpuUs)),
    'Sluice to it': ratioTo(({ cpuUs }) => cpuUs),
    'requests/s': rate(
      medianOf(result, ({ requestsPerSecond }) => requestsPerSecond),
      busy,
    ),
    'CPU at 2,000/s': microseconds(medianOf(result, ({ calmCpuUs }) => calmCpuUs)),
    'Sluice to that': ratioTo(({ calmCpuUs }) => calmCpuUs),
    'p50 at half': milliseconds(medianOf(result, ({ p50Ms }) => p50Ms)),
    'p99 at half': milliseconds(medianOf(result, ({ p99Ms }) => p99Ms)),
    'memory idle': megabytes(result.idleRssBytes),
    'under load': megabytes(result.rssBytes),
  };
}

const asked = 500;

/** A proxy that sends all to one backend would be compared with others that have more to do. */
async function assertSplit(port: number): Promise<void> {
  let toV2 = 0;
  for (let index = 0; index < asked; index++) {
    const response = await fetch(`http://127.0.0.1:${port}/100`);
    await response.arrayBuffer();
    if (response.headers.get('x-version') === 'v2') toV2++;
  }
  // Envoy draws lots: 50 on average, and this is five standard deviations to either side.
  if (toV2 < 16 || toV2 > 84) throw new Error(`it sent ${toV2} of ${asked} to v2, where 10 % should go`);
}
