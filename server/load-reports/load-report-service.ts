/**
 * The load reporting service on gRPC (xds.md 2.4): says once to each client what to report and how often, and hands its
 * reports on. What cannot be read, or is absurd, ends the stream of that client and nothing else.
 */
import type { Logger } from '../../process/log.ts';
import type { Input } from '../../proto/load.ts';
import type { LoadStatsRequest, LoadStatsResponse } from '../../proto/types.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { StatusError, status } from '../grpc/status.ts';
import { identityOf, nodeFault } from '../xds/identity.ts';
import type { LoadTable, Reporter } from './load-table.ts';
import { readReport } from './read-report.ts';

export interface LoadReportServiceOptions {
  readonly table: LoadTable;
  /** How often clients are to report. */
  readonly intervalMs: number;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  readonly log: Logger;
}

/** A client may come early, and send what has gathered; one that goes on like that is at fault. */
const mostEarlyReports = 20;

type Call = ServerCall<LoadStatsRequest, Input<LoadStatsResponse>>;

export class LoadReportService {
  readonly #options: LoadReportServiceOptions;
  readonly #calls = new Set<Call>();
  #isServing = true;

  constructor(options: LoadReportServiceOptions) {
    this.#options = options;
  }

  readonly handle = (call: Call): void => {
    if (!this.#isServing) {
      call.end(status.UNAVAILABLE, 'the server is shutting down');
      return;
    }
    this.#calls.add(call);
    let stream: ReportStream | undefined;
    call.onMessage = (message) => {
      if (stream) stream.onMessage(message);
      else stream = this.#open(call, message);
    };
    call.onOver = () => {
      this.#calls.delete(call);
      stream?.close();
    };
  };

  /** Ends all streams with status OK: clients come back, to this server or another. */
  close(): void {
    this.#isServing = false;
    for (const call of this.#calls) call.end();
  }

  #open(call: Call, { node }: LoadStatsRequest): ReportStream {
    const { table, intervalMs, clock } = this.#options;
    const identity = identityOf(node, 'delta');
    if (identity === undefined) throw new StatusError(status.INVALID_ARGUMENT, nodeFault(node));
    const reporter = table.open(identity);
    if (reporter === undefined) {
      throw new StatusError(status.RESOURCE_EXHAUSTED, `${table.size} clients report their load already`);
    }
    call.write({
      sendAllClusters: true,
      loadReportingInterval: { seconds: Math.floor(intervalMs / 1_000), nanos: (intervalMs % 1_000) * 1_000_000 },
    });
    return new ReportStream(reporter, { intervalMs, clock });
  }
}

/** One client that has said who it is. */
class ReportStream {
  readonly #reporter: Reporter;
  readonly #intervalMs: number;
  readonly #clock: () => number;
  #reportedAtMs: number;
  /** Reports that came sooner than half the interval after the one before, less those that came in time since. */
  #early = 0;

  constructor(
    reporter: Reporter,
    { intervalMs, clock }: { readonly intervalMs: number; readonly clock: () => number },
  ) {
    this.#reporter = reporter;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#reportedAtMs = clock();
  }

  onMessage({ clusterStats }: LoadStatsRequest): void {
    const nowMs = this.#clock();
    const elapsedMs = nowMs - this.#reportedAtMs;
    this.#reportedAtMs = nowMs;
    this.#early = elapsedMs < this.#intervalMs / 2 ? this.#early + 1 : Math.max(0, this.#early - 1);
    if (this.#early > mostEarlyReports) {
      throw new StatusError(
        status.RESOURCE_EXHAUSTED,
        `load reports come much faster than every ${this.#intervalMs} ms`,
      );
    }
    const report = readReport(clusterStats, elapsedMs);
    if (typeof report === 'string') {
      throw new StatusError(status.INVALID_ARGUMENT, `a load report cannot be used: ${report}`);
    }
    this.#reporter.onReport(report);
  }

  close(): void {
    this.#reporter.close();
  }
}
