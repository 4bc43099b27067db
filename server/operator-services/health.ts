/** The health service of gRPC: whether this server serves, as a whole and by service, for probes and tools. */
import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from '@grpc/grpc-js';
import type { Logger } from '../../process/log.ts';
import type { Input } from '../../proto/load.ts';
import type { Received } from '../../proto/services.ts';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseServingStatus as ServingStatus,
} from '../../proto/types.ts';
import { endingOf, questionIn, RefusedQuestion } from './answer-in-turn.ts';

/** Streams that wait to be told. Probes ask and go: these are tools, of which there are a few. */
const mostWatchers = 1_000;

type Watcher = ServerWritableStream<Received<HealthCheckRequest>, Input<HealthCheckResponse>>;

export class HealthService {
  readonly #services: ReadonlySet<string>;
  readonly #log: Logger;
  readonly #watchers = new Map<Watcher, string>();
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

  readonly handleCheck = (
    call: ServerUnaryCall<Received<HealthCheckRequest>, Input<HealthCheckResponse>>,
    respond: sendUnaryData<Input<HealthCheckResponse>>,
  ): void => {
    try {
      const { service } = questionIn(call.request);
      if (!this.#services.has(service)) {
        throw new RefusedQuestion(status.NOT_FOUND, 'there is no such service; "" stands for all');
      }
      respond(null, this.#answer(service));
    } catch (error) {
      respond(endingOf(error, this.#log));
    }
  };

  readonly handleWatch = (call: Watcher): void => {
    try {
      const { service } = questionIn(call.request);
      if (this.#watchers.size >= mostWatchers) {
        throw new RefusedQuestion(status.RESOURCE_EXHAUSTED, `${mostWatchers} streams watch already`);
      }
      this.#watchers.set(call, service);
      for (const event of ['cancelled', 'close', 'error']) call.on(event, () => this.#watchers.delete(call));
      call.write(this.#answer(service));
    } catch (error) {
      call.emit('error', endingOf(error, this.#log));
    }
  };

  #tell(): void {
    for (const [watcher, service] of this.#watchers) watcher.write(this.#answer(service));
  }

  #answer(service: string): Input<HealthCheckResponse> {
    if (!this.#services.has(service)) return { status: ServingStatus.SERVICE_UNKNOWN };
    return { status: this.#isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING };
  }
}
