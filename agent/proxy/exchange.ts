/**
 * One request and its answer, as the client sees them. A connection of a client has one Exchange, used for one request
 * after another: from the head to the instance chosen it is one synchronous call that makes no objects.
 */
import { plainPolicy, type RoutePolicy } from '../../routing/route-policy.ts';
import type { RouteDecision } from '../../routing/route-table.ts';
import type { BodyReader } from '../http1/body-reader.ts';
import { Deadline } from '../http1/deadlines.ts';
import { bodyCutShort } from '../http1/fault.ts';
import { headerKind } from '../http1/header-kind.ts';
import { RequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { RequestHandler, ServerConnection } from '../http1/server-connection.ts';
import type { Loss } from '../http1/upstream-connection.ts';
import type { Describable } from '../telemetry/access-log.ts';
import type { Ending } from '../telemetry/counter.ts';
import type { JsonLine } from '../telemetry/json-line.ts';
import { RequestFacts } from '../telemetry/request-facts.ts';
import type { RequestWatch } from '../telemetry/request-watch.ts';
import type { Attempt } from '../telemetry/route-counters.ts';
import { agentHasEnded, type CallContext, type Caller } from './caller.ts';
import { ClientAnswer } from './client-answer.ts';
import type { Destination } from './destination.ts';
import { EarlyBody } from './early-body.ts';
import { LateHead } from './late-head.ts';
import type { Reason, Refusal } from './local-answer.ts';
import type { Mirrors } from './mirrors.ts';
import { isProblemPreferred } from './problem-preferred.ts';
import { describeRequest } from './request-description.ts';
import { isUpgrade, type RequestHeadWriter } from './request-head-writer.ts';
import { tooManyUnderWay } from './route-refusals.ts';
import { Tunnel } from './tunnel.ts';
import { nameOfFault, refusalOf } from './unreadable.ts';
import { UpstreamCall } from './upstream-call.ts';

/** What the exchanges of one listener share. */
export interface ExchangeContext extends CallContext {
  /** Leads to `forward`, `refuse` or `suspend`, one of them, before it returns. */
  readonly route: (head: RequestHead, exchange: Exchange) => void;
  readonly headWriter: RequestHeadWriter;
  readonly mirrors: Mirrors;
  readonly watch: RequestWatch;
  /** Of answers: a reason is the word of an agent, and an application that passes one on would speak for this one. */
  readonly withoutReason: boolean;
  /** A request could not be passed on: nobody took a connection. */
  readonly onUnreachable: (() => void) | undefined;
}

/** What a request waits for before it is decided where it goes. */
export interface Wait<Answer> {
  readonly until: Promise<Answer>;
  /** The request has ended: nobody waits any more. */
  readonly callOff?: () => void;
}

type Phase =
  /** No request is there. */
  | 'none'
  /** A request has come, and nothing is decided. */
  | 'begun'
  /** Where it goes is not known yet: a name is asked for, or a delay is injected. */
  | 'deciding'
  /** The request is on its way, and no answer has come. */
  | 'asking'
  /** The head of the answer has gone to the client. */
  | 'answering'
  | 'tunnel';

const noMirrors: readonly Destination[] = [];

/** The instance's own agent answers in its place: what its line in the log says more about. */
function saidByAgent({ fields }: ResponseHead): string {
  const index = fields.indexOf(headerKind['x-sluice-reason']);
  return index === -1 ? '' : `the instance's agent says ${fields.value(index)}`;
}

export class Exchange implements RequestHandler, Caller, Describable {
  readonly client: ServerConnection;
  /** Of the request under way. */
  readonly facts = new RequestFacts();
  readonly #context: ExchangeContext;
  readonly #call: UpstreamCall;
  readonly #timeout = new Deadline(() => this.#guarded(() => this.#onTimeUp()));
  readonly #head = new LateHead();
  /** Only until the request goes out. */
  readonly #body = new EarlyBody();
  readonly #answer: ClientAnswer;
  #phase: Phase = 'none';
  /** Counts among what clients may have under way. */
  #isAdmitted = false;
  #mirrors = noMirrors;
  /** Of requests that were forwarded. */
  #serial = 0;
  #isUpgrade = false;
  #policy: RoutePolicy = plainPolicy;
  #setCookie: string | undefined;
  #upstreamName = '';
  #tunnel: Tunnel | undefined;
  /** What the request waits for; another object for each wait. */
  #wait: Wait<unknown> | undefined;

  constructor(client: ServerConnection, context: ExchangeContext) {
    this.client = client;
    this.#context = context;
    this.#call = new UpstreamCall(this, context);
    this.#answer = new ClientAnswer(client, this.facts);
  }

  // What the listener's route decides.

  /** A rule takes the request: what it says of it holds from now on. */
  follow(decision: RouteDecision): void {
    this.#policy = decision.policy;
    this.#setCookie = decision.setCookie;
    this.#context.watch.onRouted(this.facts, decision);
  }

  /** Sends the request to an instance of the destination, and copies of it to the mirrors. */
  forward(head: RequestHead, destination: Destination, mirrors = noMirrors): void {
    this.#isUpgrade = isUpgrade(head);
    // What is spoken after a change of protocol is no request that could be copied.
    const isCopied = mirrors.length > 0 && !this.#isUpgrade && head.method !== 'CONNECT';
    this.#mirrors = isCopied ? mirrors : noMirrors;
    this.#upstreamName = destination.title;
    const { timeoutMs } = this.#policy;
    if (timeoutMs > 0) this.#context.deadlines.set(this.#timeout, timeoutMs);
    this.#phase = 'asking';
    const call = this.#call;
    call.begin(head, destination, this.#policy.retry, this.client.remoteAddress);
    // The log names path and host as they came. Of CONNECT nothing goes out.
    const goesOutAsOther = this.#policy.rewrite !== undefined || head.targetForm === 'authority';
    if (goesOutAsOther && this.#context.watch.isLogging) this.#head.keep(head.copy());
    this.#context.headWriter.write(call.out.writer, head, this.client.remoteAddress, this.#policy);
    this.#head.sentBy(call.out);
    const isComplete = this.client.isBodyComplete;
    // Until there is a connection: `onReadyForBody` says so.
    if (!isComplete) this.client.transport.pause();
    const { bytes, from, to } = this.#body;
    this.#body.letGo();
    const serial = ++this.#serial;
    call.start(bytes, from, to, isComplete);
    // The request may have ended when it returns, because nobody can be asked, and the next one may have begun.
    if (isComplete && isCopied && this.#serial === serial && this.#phase === 'asking') this.#sendMirrors();
  }

  /** Answers itself. */
  refuse(refusal: Refusal): void {
    const asProblem = isProblemPreferred((this.#head.read() ?? this.#head.readSent())?.header('accept'));
    this.#phase = 'answering';
    this.#answer.refuse(refusal, asProblem);
    this.#conclude(refusal.reason);
    this.#answer.finish();
  }

  /** Keeps the request until the promise has an answer, then lets `resume` decide. */
  suspend<Answer>(head: RequestHead, wait: Wait<Answer>, resume: (answer: Answer, head: RequestHead) => void): void {
    const bytes = head.copy();
    this.#head.keep(bytes);
    this.#body.keep();
    this.#phase = 'deciding';
    if (!this.client.isBodyComplete) this.client.transport.pause();
    this.#wait = wait;
    const goOn = (continuation: () => void) => {
      // The client may have gone meanwhile, or another request may be the present one.
      if (this.#wait !== wait) return;
      this.#wait = undefined;
      this.#guarded(continuation);
    };
    wait.until.then(
      (answer) =>
        goOn(() => {
          const again = new RequestHead();
          again.parse(bytes, 0, bytes.length);
          resume(answer, again);
        }),
      (error: unknown) => goOn(() => this.#fail(error)),
    );
  }

  get ruleTitle(): string {
    const rule = this.facts.routedBy?.rule ?? '';
    return rule === '' ? 'its rule' : `the rule ${rule}`;
  }

  // What the client does.

  onRequest(head: RequestHead, body: BodyReader): void {
    this.#context.watch.onBegin(this.facts, this.client);
    this.#phase = 'begun';
    this.facts.bytesIn = head.end - head.start;
    this.#countIn(body);
    this.#head.begin(head);
    this.#answer.begin(head);
    this.#policy = plainPolicy;
    this.#setCookie = undefined;
    this.#body.begin(head.bytes, body);
    try {
      this.#isAdmitted = this.#context.clientLimits.tryAcquireRequest();
      if (this.#isAdmitted) this.#context.route(head, this);
      else this.refuse(tooManyUnderWay);
    } catch (error) {
      this.#fail(error);
    }
    this.#head.letGo();
  }

  onBody(bytes: Buffer, body: BodyReader): void {
    this.#countIn(body);
    try {
      if (this.#phase === 'deciding') return this.#body.add(bytes, body);
      this.#call.sendBody(this.client.transport, bytes, body);
      if (body.isDone) this.#sendMirrors();
      else if (this.#call.isClogged) this.client.transport.pause();
    } catch (error) {
      this.#fail(error);
    }
  }

  onBodyBroken(number: number, bytes: number): void {
    this.facts.bytesIn += bytes;
    this.facts.detail = nameOfFault(number);
    this.#guarded(() => {
      this.#call.abort();
      if (number !== bodyCutShort && this.#phase !== 'answering') return this.refuse(refusalOf(number));
      this.#conclude('client-gone');
      this.#answer.breakOff();
    });
  }

  onClientGone(detail: string): void {
    if (this.#tunnel === undefined) this.#call.abort();
    else this.#call.endTunnel(detail !== '' ? 'reset' : this.#tunnel.isOver ? 'finish' : 'abort');
    this.#conclude(this.#phase === 'tunnel' ? 'passed' : 'client-gone');
  }

  onCutOff(): void {
    this.facts.detail = agentHasEnded;
    this.#call.abort();
    this.#conclude(this.#phase === 'tunnel' ? 'passed' : 'broken-off');
  }

  onClientDrain(): void {
    if (this.#tunnel !== undefined) this.#tunnel.clientDrained();
    else this.#call.transport?.resume();
  }

  onUnreadable(number: number, bytes: number, head: RequestHead | undefined): void {
    this.#context.watch.onBegin(this.facts, this.client);
    this.facts.bytesIn = bytes;
    this.#phase = 'begun';
    this.facts.detail = nameOfFault(number);
    this.#head.begin(head);
    this.#answer.begin(head);
    this.refuse(refusalOf(number));
    this.#head.letGo();
  }

  onTunnelBytes(bytes: Buffer, from: number, to: number): void {
    this.#tunnel?.fromClient(bytes, from, to);
  }

  onTunnelEnd(): void {
    this.#tunnel?.clientEnded();
  }

  // What the upstream does.

  onFurtherAttempt(attempt: Attempt, cluster: string): void {
    this.#context.statistics.countAttempt(attempt, cluster);
  }

  onAnswer(head: ResponseHead, body: BodyReader): void {
    try {
      if (head.status === 101) return this.#switch(head);
      if (head.isInterim) this.#answer.passInterim(head);
      else this.#passHead(head, body);
    } catch (error) {
      this.#fail(error);
    }
  }

  onAnswerBody(bytes: Buffer, body: BodyReader): void {
    const source = this.#call.transport;
    if (source === undefined) return;
    try {
      this.#answer.passBody(source, bytes, body);
      if (!body.isDone && this.client.transport.isClogged) source.pause();
    } catch (error) {
      this.#fail(error);
    }
  }

  onAnswerEnd(): void {
    try {
      this.#answer.end();
      this.#conclude('passed');
      this.#answer.finish();
    } catch (error) {
      this.#fail(error);
    }
  }

  onAnswerLost({ isInOrder, detail }: Loss): void {
    const wasTunnel = this.#phase === 'tunnel';
    this.facts.detail = detail;
    this.#conclude(wasTunnel ? 'passed' : 'broken-off');
    if (!wasTunnel) this.#answer.breakOff();
    else if (isInOrder) this.client.finish(false);
    else this.client.abort('reset');
  }

  onNoAnswer(reason: Reason, sentence: string): void {
    this.facts.detail = sentence;
    this.#guarded(() => {
      if (reason === 'upstream-connect-failure') this.#context.onUnreachable?.();
      this.refuse({ reason, sentence });
    });
  }

  onReadyForBody(): void {
    if (this.#tunnel !== undefined) this.#tunnel.upstreamDrained();
    else this.client.transport.resume();
  }

  onConnected(): void {
    this.#answer.establishTunnel();
    this.#startTunnel();
  }

  onTunnelBack(bytes: Buffer, from: number, to: number): void {
    this.#tunnel?.fromUpstream(bytes, from, to);
  }

  onTunnelBackEnd(): void {
    this.#tunnel?.upstreamEnded();
  }

  onFault(error: unknown): void {
    this.#fail(error);
  }

  describe(line: JsonLine): void {
    describeRequest(line, this.#head, this.#call);
  }

  /** The request is complete. */
  #sendMirrors(): void {
    const mirrors = this.#mirrors;
    if (mirrors.length === 0) return;
    this.#mirrors = noMirrors;
    const { out } = this.#call;
    if (out.isWhole) return this.#context.mirrors.send(out, mirrors, this.client.remoteAddress);
    for (const _ of mirrors) this.#context.statistics.countMirror('left-out');
  }

  #passHead(head: ResponseHead, body: BodyReader): void {
    this.#phase = 'answering';
    const { watch } = this.#context;
    watch.onAnswer(this.facts);
    const isOfAgent = !this.#context.withoutReason && this.#call.lastTarget?.identity !== '';
    if (watch.isLogging && isOfAgent) this.facts.detail = saidByAgent(head);
    this.#answer.passHead(head, body, {
      withoutReason: !isOfAgent,
      changes: this.#policy.responseHeaders,
      setCookie: this.#setCookie,
    });
    if (!body.isDone && this.client.transport.isClogged) this.#call.transport?.pause();
  }

  #switch(head: ResponseHead): void {
    const upstream = this.#call.transport;
    if (!this.#isUpgrade || upstream === undefined) {
      this.#call.abort();
      return this.refuse({ reason: 'upstream-malformed', sentence: 'the upstream switched protocols unasked' });
    }
    this.#answer.switchProtocol(head, this.#policy.responseHeaders);
    this.#startTunnel();
  }

  #startTunnel(): void {
    const upstream = this.#call.transport;
    if (upstream === undefined) return;
    this.#phase = 'tunnel';
    this.facts.isTunnel = true;
    this.#timeout.clear();
    this.#tunnel = new Tunnel(this.client.transport, upstream);
    this.#call.startTunnel();
    this.client.startTunnel();
  }

  #onTimeUp(): void {
    const isAnswering = this.#phase === 'answering';
    this.#call.timeUp();
    if (!isAnswering) {
      return this.refuse({
        reason: 'timeout',
        sentence: `${this.#upstreamName} did not answer within ${this.#policy.timeoutMs} ms, the timeout of ${this.ruleTitle}`,
      });
    }
    this.facts.detail = 'the time was over';
    this.#conclude('broken-off');
    this.#answer.breakOff();
  }

  /** A fault of ours. */
  #fail(error: unknown): void {
    this.#context.onFault(error);
    try {
      this.#call.abort();
      if (this.#phase === 'begun' || this.#phase === 'deciding' || this.#phase === 'asking') {
        return this.refuse({ reason: 'internal', sentence: 'the agent failed at this request; its log says why' });
      }
      this.#conclude('broken-off');
      this.#answer.breakOff();
    } catch (again) {
      this.#context.onFault(again);
      this.#answer.breakOff();
    }
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What is left of the body after the answer is nobody's. */
  #countIn({ from, to, trailers }: BodyReader): void {
    this.facts.bytesIn += to - from + (trailers?.length ?? 0);
  }

  /** The request has ended, whichever way. */
  #conclude(ending: Ending): void {
    if (this.#phase === 'none') return;
    this.#timeout.clear();
    this.#wait?.callOff?.();
    this.#wait = undefined;
    if (this.#tunnel !== undefined) {
      this.facts.bytesIn += this.#tunnel.bytesUp;
      this.facts.bytesOut += this.#tunnel.bytesDown;
      this.#tunnel = undefined;
    }
    this.#context.watch.onEnd(this.facts, ending, this);
    this.#phase = 'none';
    if (this.#isAdmitted) this.#context.clientLimits.releaseRequest();
    this.#isAdmitted = false;
    // The connection may be idle for long.
    this.#head.forget();
    this.#body.letGo();
    this.#call.end();
  }
}
