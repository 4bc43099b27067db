/**
 * One connection to a TCP service: it takes its turn, an instance is connected to, another one where no connection can be
 * established, and from then on bytes go both ways as they are.
 *
 * It may have begun on a port that nobody has declared: then an instance was guessed and connected to before. If its turn
 * is that one's, it stays; if not, for another connection took the turn in between, the guess is dropped: nothing was sent
 * to it, and nothing that it has said went to the client.
 */
import type { Accepted } from '../http1/connection-listener.ts';
import { Deadline } from '../http1/deadlines.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import { type SocketUser, Transport } from '../http1/transport.ts';
import type { Describable } from '../telemetry/access-log.ts';
import type { Ending } from '../telemetry/counter.ts';
import type { JsonLine } from '../telemetry/json-line.ts';
import { RequestFacts } from '../telemetry/request-facts.ts';
import type { RequestWatch } from '../telemetry/request-watch.ts';
import { agentHasEnded, type CallContext } from './caller.ts';
import { ChosenTarget } from './chosen-target.ts';
import { anyConnection, type ConnectionRoute, type ConnectionTurn } from './connection-route.ts';
import type { Target } from './destination.ts';
import { Dial, type DialUser } from './dial.ts';
import { describeConnection } from './request-description.ts';
import { Tunnel } from './tunnel.ts';

export interface TcpExchangeOptions {
  readonly route: ConnectionRoute;
  readonly context: CallContext & { readonly watch: RequestWatch };
  readonly onUnreachable: (() => void) | undefined;
  readonly onClosed: (connection: Accepted) => void;
}

/** How far a connection has come before its turn. */
export interface Begun {
  /** What the client has said. */
  readonly said: Buffer;
  /** The client says nothing more. */
  readonly hasEnded: boolean;
  /** Who was guessed, and could not be connected to. */
  readonly failed: readonly Target[];
  /** Why not, of the last of them. */
  readonly lastFault: string;
  /** To who was guessed last. */
  readonly dial: Dial | undefined;
}

const nothing = Buffer.alloc(0);
const notBegun: Begun = { said: nothing, hasEnded: false, failed: [], lastFault: '', dial: undefined };

export class TcpExchange implements Accepted, SocketUser, DialUser, Describable {
  readonly #options: TcpExchangeOptions;
  readonly #client: Transport;
  readonly #facts = new RequestFacts();
  readonly #turn: ConnectionTurn;
  readonly #chosen: ChosenTarget;
  readonly #begun: Begun;
  /** Whom chance has chosen already, in this order. */
  readonly #guessed: Target[];
  /** The connection to who was guessed last, until it is used or dropped. */
  #spare: Dial | undefined;
  readonly #deadline = new Deadline(() => this.#onTimeUp());
  #attempts = 0;
  #connectMs = -1;
  /** How the connection to the last of them ended; '' when it did in order, or has not. */
  #lastFault = '';
  #dial: Dial | undefined;
  #tunnel: Tunnel | undefined;
  /** What had gone through when it was last asked whether anything did. */
  #bytesBefore = 0;
  #clientHasEnded: boolean;
  /** Counts among what clients may have under way. */
  readonly #isAdmitted: boolean;
  #isOver = false;

  constructor(client: SocketHandle | Transport, options: TcpExchangeOptions, begun: Begun = notBegun) {
    const { route, context } = options;
    const { failed, dial } = begun;
    this.#options = options;
    this.#begun = begun;
    this.#spare = dial;
    this.#guessed = dial === undefined ? [...failed] : [...failed, dial.target];
    this.#clientHasEnded = begun.hasEnded;
    if (client instanceof Transport) client.passTo(this);
    this.#client = client instanceof Transport ? client : Transport.accept(client, this, context);
    this.#client.readPrivately(true);
    // Until there is somebody to send them to, the client keeps its bytes.
    this.#client.pause();
    this.#chosen = new ChosenTarget(context);
    this.#turn = route.take();
    this.#count();
    this.#isAdmitted = options.context.clientLimits.tryAcquireRequest();
    const { destination } = this.#turn;
    this.#chosen.begin(destination, destination.hashOf(anyConnection, this.#client.remoteAddress));
    if (this.#isAdmitted) this.#askNext();
    else this.#refuse('overflow');
    // Refused before there was a use for it.
    this.#spare?.drop();
  }

  /** A connection knows no requests after which it could end: it lives until it ends by itself. */
  drain(): void {}

  destroy(): void {
    this.#lastFault = agentHasEnded;
    this.#end(this.#tunnel === undefined ? 'broken-off' : 'passed');
    this.#client.destroy();
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    this.#tunnel?.fromClient(bytes, from, to);
  }

  onEnd(): void {
    this.#clientHasEnded = true;
    this.#tunnel?.clientEnded();
  }

  onDrain(): void {
    this.#tunnel?.clientDrained();
  }

  onClosed(detail: string): void {
    // An end that was no end in order must not look like one on the other side.
    if (detail !== '') this.#dial?.transport.reset();
    // What was sent before both sides ended still goes.
    else if (this.#tunnel?.isOver !== true) this.#dial?.transport.destroy();
    this.#end(this.#tunnel === undefined ? 'client-gone' : 'passed');
    this.#options.onClosed(this);
  }

  describe(line: JsonLine): void {
    describeConnection(line, {
      lastTarget: this.#attempts === 0 ? undefined : this.#chosen.last,
      attempts: this.#attempts,
      connectMs: this.#connectMs,
    });
  }

  onConnected(dial: Dial): void {
    const { deadlines } = this.#options.context;
    this.#chosen.report('success');
    this.#connectMs = dial.connectMs;
    this.#tunnel = new Tunnel(this.#client, dial.transport);
    dial.transport.readPrivately(true);
    deadlines.set(this.#deadline, this.#turn.idleTimeoutMs);
    this.#client.resume();
    const { said } = this.#begun;
    this.#tunnel.fromClient(said, 0, said.length);
    if (this.#clientHasEnded) this.#tunnel.clientEnded();
    if (dial.hasEnded) this.#tunnel.upstreamEnded();
  }

  onUpstreamBytes(bytes: Buffer, from: number, to: number): void {
    this.#tunnel?.fromUpstream(bytes, from, to);
  }

  onUpstreamEnd(): void {
    this.#tunnel?.upstreamEnded();
  }

  onUpstreamDrain(): void {
    this.#tunnel?.upstreamDrained();
  }

  onUpstreamClosed(dial: Dial, detail: string): void {
    this.#turn.destination.breaker.releaseConnection();
    this.#lastFault = detail;
    if (!dial.isConnected && !this.#isOver) {
      this.#missed();
      return this.#askNext();
    }
    this.#chosen.letGo(false);
    if (!this.#isOver) detail === '' ? this.#client.end() : this.#client.reset();
  }

  #count(): void {
    const { route, context } = this.#options;
    context.watch.onBegin(this.#facts, this.#client);
    this.#facts.isTunnel = true;
    if (route.service !== undefined) {
      this.#facts.service = route.service.name;
      this.#facts.revision = route.service.revision;
    }
    if (this.#turn.decision !== undefined) context.watch.onRouted(this.#facts, this.#turn.decision);
  }

  #askNext(): void {
    for (;;) {
      const guessed = this.#guessed.shift();
      const target = guessed === undefined ? this.#chosen.choose(false) : this.#chosen.chooseAs(guessed);
      if (target === undefined) return this.#giveUp();
      if (!this.#begun.failed.includes(target)) return this.#connect(target);
      // What was found out with the guess counts now.
      this.#countAttempt();
      this.#lastFault = this.#begun.lastFault;
      this.#missed();
    }
  }

  #connect(target: Target): void {
    const { context } = this.#options;
    const { breaker, connectTimeoutMs } = this.#turn.destination;
    if (!breaker.tryAcquireConnection()) {
      this.#chosen.letGo(false);
      return this.#refuse('overflow');
    }
    this.#countAttempt();
    context.deadlines.set(this.#deadline, connectTimeoutMs);
    const dial = this.#spare;
    this.#spare = undefined;
    this.#guessed.length = 0;
    if (dial?.target !== target) {
      dial?.drop();
      this.#dial = new Dial(target, this, context);
      return;
    }
    this.#dial = dial;
    dial.passTo(this);
    if (dial.isConnected) this.onConnected(dial);
  }

  #countAttempt(): void {
    this.#attempts++;
    if (this.#attempts === 1) return;
    this.#options.context.statistics.countAttempt('unreachable', this.#turn.destination.name);
  }

  #missed(): void {
    this.#chosen.report('local');
    this.#chosen.letGo(true);
  }

  #giveUp(): void {
    if (this.#attempts === 0) return this.#refuse('no-healthy-instance');
    this.#options.onUnreachable?.();
    this.#refuse('upstream-connect-failure');
  }

  /** There is no way to say why: the client's connection is reset. */
  #refuse(reason: Ending): void {
    this.#end(reason);
    this.#client.reset();
  }

  #onTimeUp(): void {
    const tunnel = this.#tunnel;
    if (tunnel === undefined) return this.#dial?.transport.destroy();
    const bytes = tunnel.bytesUp + tunnel.bytesDown;
    if (bytes === this.#bytesBefore) return this.#client.destroy();
    this.#bytesBefore = bytes;
    this.#options.context.deadlines.set(this.#deadline, this.#turn.idleTimeoutMs);
  }

  #end(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isAdmitted) this.#options.context.clientLimits.releaseRequest();
    this.#deadline.clear();
    this.#facts.detail = this.#lastFault;
    this.#facts.bytesIn = this.#tunnel?.bytesUp ?? 0;
    this.#facts.bytesOut = this.#tunnel?.bytesDown ?? 0;
    this.#options.context.watch.onEnd(this.#facts, ending, this);
  }
}
