/** The health service of gRPC: whether this server serves, as a whole and by service, for probes and tools. */
import type { Logger } from '../../process/log.ts';
import type { Input } from '../../proto/load.ts';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseServingStatus as ServingStatus,
} from '../../proto/types.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { StatusError, status } from '../grpc/status.ts';
import { answerOnce } from './answer-in-turn.ts';

/** Streams that wait to be told. Probes ask and go: these are tools, of which there are a few. */
const mostWatchers = 1_000;

type Call = ServerCall<HealthCheckRequest, Input<HealthCheckResponse>>;

export class HealthService {
  readonly #services: ReadonlySet<string>;
  readonly #log: Logger;
  readonly #watchers = new Map<Call, string>();
  #isServing = false;

  /** `services`: full names of those that it answers for, besides ''. */
  constructor(services: Iterable<string>, log: Logger) {
    this.#services = new Set(['', ...services]);
    this.#log = log;
  }

  start(): void {
    this.#isServing = true;
    this.#tell();
  }

  /** Says so to all that watch, and ends their streams. Who asks as long as the server is there is told the same. */
  drain(): void {
    this.#isServing = false;
    this.#tell();
    for (const watcher of [...this.#watchers.keys()]) watcher.end();
    this.#watchers.clear();
  }

  readonly handleCheck = (call: Call): void => {
    answerOnce(call, { answer: ({ service }) => this.#check(service), log: this.#log });
  };

  readonly handleWatch = (call: Call): void => {
    call.onOver = () => this.#watchers.delete(call);
    call.onMessage = ({ service }) => {
      if (this.#watchers.size >= mostWatchers) {
        throw new StatusError(status.RESOURCE_EXHAUSTED, `${mostWatchers} streams watch already`);
      }
      this.#watchers.set(call, service);
      call.write(this.#answer(service));
    };
    // It has asked, and goes on to listen.
    call.onHalfClose = () => {};
  };

  #check(service: string): Input<HealthCheckResponse> {
    if (!this.#services.has(service)) {
      throw new StatusError(status.NOT_FOUND, 'there is no such service; "" stands for all');
    }
    return this.#answer(service);
  }

  #tell(): void {
    for (const [watcher, service] of this.#watchers) watcher.write(this.#answer(service));
  }

  #answer(service: string): Input<HealthCheckResponse> {
    if (!this.#services.has(service)) return { status: ServingStatus.SERVICE_UNKNOWN };
    return { status: this.#isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING };
  }
}
