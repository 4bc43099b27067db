/** The stream on which the agent reports what it sends where, as often as the server says. Beside the requests. */
import { type Client, type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js';
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { Input } from '../../proto/load.ts';
import { loadReportingService } from '../../proto/services.ts';
import { toStruct } from '../../proto/struct.ts';
import { LoadStatsRequest, type LoadStatsResponse } from '../../proto/types.ts';
import { toMilliseconds } from '../../routing/duration.ts';
import type { AgentIdentity } from '../xds/delta-session.ts';
import type { CountsByCluster, LoadLedger } from './load-ledger.ts';

export interface LoadReporter {
  close(): void;
}

export interface LoadReporterOptions {
  readonly client: Client;
  readonly identity: AgentIdentity;
  /** Goes on over all connections: what happened without one is reported on the next. */
  readonly ledger: LoadLedger;
  readonly requestCounts: () => Promise<CountsByCluster>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A server may be wrong, or in tests in a hurry; the agent has better things to do. */
const shortestIntervalMs = 100;
/** For a server that does not say. */
const defaultIntervalMs = 10_000;
/** The connection is there, but the server takes no reports: nobody is in need of them. */
const retryMs = 30_000;

export function startLoadReporter(options: LoadReporterOptions): LoadReporter {
  const { client, identity, ledger, requestCounts, clock, log } = options;
  let isClosed = false;
  let cancelNext = () => {};
  let endCall = () => {};

  const open = () => {
    const method = loadReportingService.streamLoadStats;
    const call: ClientDuplexStream<Input<LoadStatsRequest>, LoadStatsResponse> = client.makeBidiStreamRequest(
      method.path,
      (message: Input<LoadStatsRequest>) => LoadStatsRequest.encode(message),
      method.responseDeserialize,
      new Metadata(),
      {},
    );
    let isOpen = true;
    let isTaken = true;
    endCall = () => {
      isOpen = false;
      call.cancel();
    };
    const report = async () => {
      const counts = await requestCounts();
      if (!isOpen) return;
      const clusterStats = ledger.report(counts, clock.elapsed());
      if (clusterStats !== undefined) isTaken = call.write({ clusterStats });
    };
    const reportEvery = (intervalMs: number) => {
      cancelNext();
      cancelNext = clock.after(intervalMs, () => {
        // A server that does not read is told nothing more: it all stands in the next report that it takes.
        const reported = isTaken ? report() : Promise.resolve();
        const onFault = (error: unknown) => log.error({ err: error }, 'the load could not be reported');
        void reported.catch(onFault).then(() => isOpen && reportEvery(intervalMs));
      });
    };
    call.on('data', ({ loadReportingInterval }) => {
      if (!isOpen) return;
      const intervalMs = toMilliseconds(loadReportingInterval) || defaultIntervalMs;
      reportEvery(Math.max(shortestIntervalMs, intervalMs));
    });
    call.on('drain', () => {
      isTaken = true;
    });
    // 'status' follows with the same, also for a stream that ended well.
    call.on('error', () => {});
    call.on('status', ({ code, details }) => {
      if (!isOpen) return;
      isOpen = false;
      cancelNext();
      // An older server. The next one may be another.
      if (code === status.UNIMPLEMENTED) return;
      if (!expected.has(code)) log.warn(`the server takes no load reports: ${status[code]}: ${details}`);
      cancelNext = clock.after(retryMs, () => !isClosed && open());
    });
    call.write({ node: nodeOf(identity) });
  };
  open();

  return {
    close: () => {
      isClosed = true;
      cancelNext();
      endCall();
    },
  };
}

/** How the stream ends with its connection; whose end is told of elsewhere. */
const expected: ReadonlySet<status> = new Set([status.OK, status.UNAVAILABLE, status.CANCELLED]);

function nodeOf({ id, service, namespace, zone, version }: AgentIdentity): Input<LoadStatsRequest>['node'] {
  return {
    id,
    cluster: service,
    metadata: toStruct({ sluice: { namespace, service } }),
    ...(zone !== '' && { locality: { zone } }),
    userAgentName: 'sluice',
    userAgentVersion: version,
  };
}
