/** A thousand connections that are open and idle: what they take, and whether they are there when they are used again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { IdleConnections } from '../load/idle-connections.ts';
import { requestText } from '../load/request.ts';
import { costOf, measure, type Place, type Result } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';
import { medianOf, megabytes, outcomeOf } from '../table.ts';
import type { Outcome, Scenario } from './scenario.ts';

const connections = 1000;
const request = requestText({ method: 'GET', path: '/100' });

export const idleScenarios: readonly Scenario[] = [{ name: 'idle-1000', what: `${connections} idle connections`, run }];

interface Sample {
  readonly rssBytes: number;
  readonly alive: number;
  /** While nothing happened, per second. */
  readonly cpuUsPerSecond: number;
}

async function run(peers: readonly Peer[], place: Place): Promise<Outcome> {
  const { idleSeconds } = place.effort;
  const results = await measure<Sample>(
    {
      hops: 1,
      routes: 0,
      warmUp: async () => {},
      async sample({ port }, cost) {
        const opened = new IdleConnections(request);
        try {
          await opened.open(port, connections);
          const { cpuUs } = await costOf(cost, () => sleep(idleSeconds * 1000));
          const rssBytes = cost.rssBytes();
          return { rssBytes, alive: await opened.countAlive(), cpuUsPerSecond: cpuUs / idleSeconds };
        } finally {
          opened.close();
        }
      },
    },
    peers,
    // Memory that was asked for once is not asked for again.
    { ...place, effort: { ...place.effort, rounds: 1 } },
  );
  const cells = (result: Result<Sample>): Record<string, string> => {
    const rssBytes = medianOf(result, (sample) => sample.rssBytes);
    return {
      'memory idle': megabytes(result.idleRssBytes),
      [`with ${connections} connections`]: megabytes(rssBytes),
      'each of them': `${((rssBytes - result.idleRssBytes) / connections / 1024).toFixed(1)} KB`,
      [`alive after ${idleSeconds} s`]: medianOf(result, ({ alive }) => alive).toFixed(0),
      'CPU meanwhile': `${(medianOf(result, ({ cpuUsPerSecond }) => cpuUsPerSecond) / 1000).toFixed(1)} ms/s`,
    };
  };
  const { rows } = outcomeOf(results, ({ cpuUsPerSecond }) => cpuUsPerSecond, cells);
  return { rows, ratios: new Map() };
}
