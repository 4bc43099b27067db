/**
 * A connection on a port that nobody has declared, until it is known what is spoken on it: the first byte tells, whoever it is
 * from. An instance is connected to at once all the same, for the service may be the one that speaks first.
 *
 * That instance is guessed: no turn of a split or a balancer is taken, nothing is counted and nobody is reported, for the
 * client may turn out to speak HTTP, and then its requests take their own turns. Ends are passed on, as they are no bytes.
 */
import type { Accepted } from '../http1/connection-listener.ts';
import { Deadline } from '../http1/deadlines.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import { type SocketUser, Transport } from '../http1/transport.ts';
import type { Describable } from '../telemetry/access-log.ts';
import type { Ending } from '../telemetry/counter.ts';
import type { JsonLine } from '../telemetry/json-line.ts';
import { RequestFacts } from '../telemetry/request-facts.ts';
import { agentHasEnded } from './caller.ts';
import { anyConnection } from './connection-route.ts';
import type { Target } from './destination.ts';
import { Dial, type DialUser } from './dial.ts';
import { guessProtocol } from './protocol-guess.ts';
import { describeConnection } from './request-description.ts';
import { TcpExchange, type TcpExchangeOptions } from './tcp-exchange.ts';

export interface UndeclaredOptions extends TcpExchangeOptions {
  /** Takes over a client that speaks HTTP; it has yet to be told what the client has said. */
  readonly asHttp: (client: Transport, onClosed: () => void) => Accepted & SocketUser;
}

const nothing = Buffer.alloc(0);
/** How long a client may say nothing when there is nobody to connect it to. */
const silenceMs = 1_000;

export class UndeclaredConnection implements Accepted, SocketUser, DialUser, Describable {
  readonly #options: UndeclaredOptions;
  readonly #client: Transport;
  readonly #deadline = new Deadline(() => this.#onTimeUp());
  readonly #hash: number | undefined;
  /** To whom no connection came about. */
  readonly #failed: Target[] = [];
  /** How the last connection to an instance ended; '' when it did in order, or has not. */
  #lastFault = '';
  /** Undefined: there is nobody, or nobody any more. */
  #dial: Dial | undefined;
  #lastTarget: Target | undefined;
  #attempts = 0;
  #connectMs = -1;
  /** The beginning of a word; it is not clear yet of which protocol. */
  #said: Buffer = nothing;
  #clientHasEnded = false;
  #isDraining = false;
  #isOver = false;
  /** Who has taken the connection over. */
  #successor: Accepted | undefined;

  constructor(handle: SocketHandle, options: UndeclaredOptions) {
    const { destination } = options.route.guess;
    this.#options = options;
    this.#client = Transport.accept(handle, this, options.context);
    this.#hash = destination.hashOf(anyConnection, this.#client.remoteAddress);
    this.#askNext();
  }

  retire(): void {
    this.#successor?.retire?.();
  }

  drain(): void {
    this.#isDraining = true;
    this.#successor?.drain();
  }

  destroy(): void {
    if (this.#successor !== undefined) return this.#successor.destroy();
    this.#lastFault = agentHasEnded;
    this.#end('broken-off');
    this.#client.destroy();
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    this.#said = Buffer.concat([this.#said, bytes.subarray(from, to)]);
    switch (guessProtocol(this.#said)) {
      case 'unclear':
        return;
      case 'other':
        return this.#isTcp();
      case 'http':
        return this.#isHttp();
    }
  }

  onEnd(): void {
    this.#clientHasEnded = true;
    if (this.#said.length > 0) return this.#isTcp();
    if (this.#dial?.isConnected) this.#dial.transport.end();
    // There is nobody to pass it on to, and nobody else to come.
    if (this.#dial === undefined && this.#connectMs === -1) this.#client.reset();
  }

  onDrain(): void {}

  onClosed(): void {
    this.#end('client-gone');
    this.#options.onClosed(this);
  }

  describe(line: JsonLine): void {
    describeConnection(line, { lastTarget: this.#lastTarget, attempts: this.#attempts, connectMs: this.#connectMs });
  }

  onConnected(dial: Dial): void {
    const { context, route } = this.#options;
    this.#connectMs = dial.connectMs;
    context.deadlines.set(this.#deadline, route.guess.idleTimeoutMs);
    if (this.#clientHasEnded) dial.transport.end();
  }

  onUpstreamBytes(bytes: Buffer, from: number, to: number): void {
    // Unasked: an HTTP server has waited long enough for a request.
    if (bytes.toString('latin1', from, Math.min(to, from + 5)) === 'HTTP/') return this.#isHttp();
    const dial = this.#dial;
    this.#isTcp();
    // To its new user, unless it has been dropped.
    dial?.onBytes(bytes, from, to);
  }

  onUpstreamEnd(): void {
    this.#client.end();
  }

  onUpstreamDrain(): void {}

  onUpstreamClosed(dial: Dial, detail: string): void {
    this.#dial = undefined;
    this.#lastFault = detail;
    if (dial.isConnected) return detail === '' ? this.#client.end() : this.#client.reset();
    this.#failed.push(dial.target);
    this.#askNext();
  }

  #askNext(): void {
    const { context, route } = this.#options;
    const { balancer, breaker, connectTimeoutMs } = route.guess.destination;
    const target = breaker.hasRoomForConnection ? balancer.guess(this.#failed, context.random, this.#hash) : undefined;
    if (target === undefined) {
      if (this.#clientHasEnded) return this.#client.reset();
      return context.deadlines.set(this.#deadline, silenceMs);
    }
    this.#attempts++;
    this.#lastTarget = target;
    context.deadlines.set(this.#deadline, connectTimeoutMs);
    this.#dial = new Dial(target, this, context);
  }

  #onTimeUp(): void {
    if (this.#connectMs !== -1) return this.#client.destroy();
    if (this.#dial !== undefined) return this.#dial.transport.destroy();
    // Nobody to connect to. A client that speaks HTTP could be told; one that waits for the service is not kept waiting.
    this.#isTcp();
  }

  #isHttp(): void {
    this.#deadline.clear();
    this.#dial?.drop();
    const connection = this.#options.asHttp(this.#client, () => this.#options.onClosed(this));
    this.#succeed(connection);
    if (this.#said.length > 0) connection.onBytes(this.#said, 0, this.#said.length);
    if (this.#clientHasEnded) connection.onEnd();
  }

  #isTcp(): void {
    this.#deadline.clear();
    const onClosed = () => this.#options.onClosed(this);
    const begun = {
      said: this.#said,
      hasEnded: this.#clientHasEnded,
      failed: this.#failed,
      lastFault: this.#lastFault,
      dial: this.#dial,
    };
    this.#succeed(new TcpExchange(this.#client, { ...this.#options, onClosed }, begun));
  }

  /** Nobody has said anything: it was nobody's turn. `unlessConnected`: how it ended if it was never connected to an instance. */
  #end(unlessConnected: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { context, route } = this.#options;
    const facts = new RequestFacts();
    this.#deadline.clear();
    context.watch.onBegin(facts, this.#client);
    facts.isTunnel = true;
    facts.detail = this.#lastFault;
    if (route.service !== undefined) {
      facts.service = route.service.name;
      facts.revision = route.service.revision;
    }
    context.watch.onEnd(facts, this.#connectMs === -1 ? unlessConnected : 'passed', this);
    this.#dial?.drop();
  }

  #succeed(successor: Accepted): void {
    this.#successor = successor;
    if (this.#isDraining) successor.drain();
  }
}
