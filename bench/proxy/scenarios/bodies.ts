/** Large bodies: how many bytes a second of CPU time carries, down and up. */
import { type BulkLoad, download } from '../load/download.ts';
import { requestText } from '../load/request.ts';
import { startSink, upload } from '../load/upload.ts';
import { costOf, measure, type Place, type Result } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';
import { medianOf, megabytes, outcomeOf, type RatioTo, rate } from '../table.ts';
import type { Outcome, Scenario } from './scenario.ts';

interface Sample {
  readonly bytes: number;
  readonly cpuUs: number;
  readonly seconds: number;
}

const connections = 4;
const request = requestText({ method: 'GET', path: '/large' });

export const bodyScenarios: readonly Scenario[] = [
  {
    name: 'download',
    what: 'GET, 64 MiB, 4 connections',
    run: (peers, place) => run((load) => download(load, request), peers, place),
  },
  {
    name: 'upload',
    what: 'POST, 64 MiB, 4 connections',
    async run(peers, place) {
      const sinks = [await startSink(), await startSink()];
      const split = place.split.map(({ weight }, index) => ({ port: sinks[index]?.port ?? 0, weight }));
      try {
        return await run(upload, peers, { ...place, split });
      } finally {
        for (const sink of sinks) sink.close();
      }
    },
  },
];

/** `send` answers how many bytes it was. */
async function run(send: (load: BulkLoad) => Promise<number>, peers: readonly Peer[], place: Place): Promise<Outcome> {
  const { seconds } = place.effort;
  const results = await measure<Sample>(
    {
      hops: 1,
      routes: 0,
      warmUp: ({ port }) => send({ port, connections, seconds: 1 }),
      async sample({ port }, cost) {
        const { cpuUs, answer: bytes } = await costOf(cost, () => send({ port, connections, seconds }));
        return { bytes, cpuUs, seconds };
      },
    },
    peers,
    place,
  );
  return outcomeOf(results, cpuPerByte, cellsOf);
}

const cpuPerByte = ({ bytes, cpuUs }: Sample) => cpuUs / bytes;

function cellsOf(result: Result<Sample>, ratioTo: RatioTo<Sample>): Record<string, string> {
  const busy = medianOf(result, ({ cpuUs, seconds }) => cpuUs / (seconds * 1_000_000));
  return {
    // Bytes in a microsecond are megabytes in a second.
    'MB per CPU second': medianOf(result, ({ bytes, cpuUs }) => bytes / cpuUs).toFixed(0),
    'CPU, Sluice to it': ratioTo(cpuPerByte),
    'MB/s': rate(
      medianOf(result, ({ bytes, seconds }) => bytes / seconds / 1_000_000),
      busy,
    ),
    'memory idle': megabytes(result.idleRssBytes),
    'under load': megabytes(result.rssBytes),
  };
}
