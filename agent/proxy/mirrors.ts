/**
 * Copies of requests, sent to where a rule mirrors them. Nobody waits for their answers, which are read and thrown away;
 * whatever happens to a copy, the client sees nothing of it. So many at a time: a slow mirror must not cost the agent more.
 */
import { Deadline } from '../http1/deadlines.ts';
import { RequestHead } from '../http1/request-head.ts';
import type { CallContext, Caller } from './caller.ts';
import type { Destination } from './destination.ts';
import type { OutgoingRequest } from './outgoing-request.ts';
import { UpstreamCall } from './upstream-call.ts';

/** Beyond it copies are left out, and counted. */
const mostUnderWay = 256;
/** The answer to a copy matters to nobody, so it may not take long. */
const timeoutMs = 15_000;

export class Mirrors {
  readonly #context: CallContext;
  readonly #underWay = new Set<Mirror>();

  constructor(context: CallContext) {
    this.#context = context;
  }

  /** `request` must be whole. It is copied, so it may go on its own way. */
  send(request: OutgoingRequest, destinations: readonly Destination[], sourceAddress: string): void {
    for (const destination of destinations) {
      if (this.#underWay.size >= mostUnderWay) {
        this.#context.statistics.countMirror('left-out');
        continue;
      }
      this.#context.statistics.countMirror('sent');
      const mirror = new Mirror(this.#context, () => this.#underWay.delete(mirror));
      this.#underWay.add(mirror);
      mirror.send(request, destination, sourceAddress);
    }
  }

  close(): void {
    for (const mirror of this.#underWay) mirror.end();
  }
}

/** One copy on its way. */
class Mirror implements Caller {
  readonly ruleTitle = 'its rule';
  readonly #call: UpstreamCall;
  readonly #context: CallContext;
  readonly #timeout = new Deadline(() => this.#fail());
  readonly #onEnd: () => void;

  constructor(context: CallContext, onEnd: () => void) {
    this.#call = new UpstreamCall(this, context);
    this.#context = context;
    this.#onEnd = onEnd;
  }

  send(request: OutgoingRequest, destination: Destination, sourceAddress: string): void {
    const { bytes, length } = request.writer;
    const head = new RequestHead();
    head.parse(bytes, 0, length);
    this.#context.deadlines.set(this.#timeout, timeoutMs);
    this.#call.begin(head, destination, undefined, sourceAddress);
    this.#call.out.writer.copy(bytes, 0, request.headLength);
    this.#call.start(bytes, request.bodyStart, length, true);
  }

  end(): void {
    this.#timeout.clear();
    this.#call.abort();
    this.#call.end();
    this.#onEnd();
  }

  /** Attempts are counted of clients' requests; of copies, what became of them. */
  onFurtherAttempt(): void {}
  onAnswer(): void {}
  onAnswerBody(): void {}
  onReadyForBody(): void {}
  onTunnelBack(): void {}
  onTunnelBackEnd(): void {}

  onAnswerEnd(): void {
    this.end();
  }

  onAnswerLost(): void {
    this.#fail();
  }

  onNoAnswer(): void {
    this.#fail();
  }

  onConnected(): void {
    this.end();
  }

  onFault(error: unknown): void {
    this.#context.onFault(error);
    this.#fail();
  }

  #fail(): void {
    this.#context.statistics.countMirror('failed');
    this.end();
  }
}
