/**
 * The load reporting service on gRPC (xds.md 2.4): says once to each client what to report and how often, and hands its
 * reports on. What cannot be read, or is absurd, ends the stream of that client and nothing else.
 */
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Logger } from '../../process/log.ts';
import type { Input } from '../../proto/load.ts';
import type { Received } from '../../proto/services.ts';
import type { LoadStatsRequest, LoadStatsResponse } from '../../proto/types.ts';
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

type Call = ServerDuplexStream<Received<LoadStatsRequest>, Input<LoadStatsResponse>>;

export class LoadReportService {
  readonly #options: LoadReportServiceOptions;
  readonly #calls = new Set<Call>();
  #isServing = true;

  constructor(options: LoadReportServiceOptions) {
    this.#options = options;
  }

  readonly handle = (call: Call): void => {
    if (!this.#isServing) {
      refuse(call, status.UNAVAILABLE, 'the server is shutting down');
      return;
    }
    this.#calls.add(call);
    let stream: ReportStream | undefined;
    let isOver = false;
    const end = (code: status, details: string) => {
      onOver();
      refuse(call, code, details);
    };
    const onOver = () => {
      isOver = true;
      this.#calls.delete(call);
      stream?.close();
    };
    call.on('data', (received: Received<LoadStatsRequest>) => {
      if (isOver) return;
      try {
        if ('fault' in received) {
          end(status.INVALID_ARGUMENT, `a load report cannot be decoded: ${received.fault}`);
        } else if (stream) stream.onMessage(received.message, end);
        else stream = this.#open(call, received.message, end);
      } catch (error) {
        this.#options.log.error({ err: error }, 'a load report could not be handled');
        end(status.INTERNAL, 'the load report could not be handled; the log of the server says why');
      }
    });
    call.on('end', () => {
      onOver();
      call.end();
    });
    for (const event of ['cancelled', 'close', 'error']) call.on(event, onOver);
  };

  /** Ends all streams with status OK: clients come back, to this server or another. */
  close(): void {
    this.#isServing = false;
    for (const call of this.#calls) call.end();
  }

  #open(call: Call, message: LoadStatsRequest, end: End): ReportStream | undefined {
    const { table, intervalMs, clock } = this.#options;
    const identity = identityOf(message.node, 'delta');
    if (identity === undefined) {
      end(status.INVALID_ARGUMENT, nodeFault(message.node));
      return undefined;
    }
    const reporter = table.open(identity);
    if (reporter === undefined) {
      end(status.RESOURCE_EXHAUSTED, `${table.size} clients report their load already`);
      return undefined;
    }
    call.write({
      sendAllClusters: true,
      loadReportingInterval: { seconds: Math.floor(intervalMs / 1_000), nanos: (intervalMs % 1_000) * 1_000_000 },
    });
    return new ReportStream(reporter, { intervalMs, clock });
  }
}

type End = (code: status, details: string) => void;

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

  onMessage({ clusterStats }: LoadStatsRequest, end: End): void {
    const nowMs = this.#clock();
    const elapsedMs = nowMs - this.#reportedAtMs;
    this.#reportedAtMs = nowMs;
    this.#early = elapsedMs < this.#intervalMs / 2 ? this.#early + 1 : Math.max(0, this.#early - 1);
    if (this.#early > mostEarlyReports) {
      end(status.RESOURCE_EXHAUSTED, `load reports come much faster than every ${this.#intervalMs} ms`);
      return;
    }
    const report = readReport(clusterStats, elapsedMs);
    if (typeof report === 'string') end(status.INVALID_ARGUMENT, `a load report cannot be used: ${report}`);
    else this.#reporter.onReport(report);
  }

  close(): void {
    this.#reporter.close();
  }
}

function refuse(call: Call, code: status, details: string): void {
  call.emit('error', { code, details });
}
