/** Whom a call to an instance is made for, and what all calls of a listener share. */
import type { Clock, Random } from '../../process/clock.ts';
import type { BodyReader } from '../http1/body-reader.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { SocketContext } from '../http1/transport.ts';
import type { Loss } from '../http1/upstream-connection.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import type { Attempt } from '../telemetry/route-counters.ts';
import type { Statistics } from '../telemetry/statistics.ts';
import type { Reason } from './local-answer.ts';
import type { Pools } from './pools.ts';

export interface Caller {
  /** The rule that sends the request, as sentences call it. */
  readonly ruleTitle: string;
  /** Somebody of this cluster is asked once more, or somebody else. */
  onFurtherAttempt(attempt: Attempt, cluster: string): void;
  /** The head of the answer, interim or final; good until the call returns, like the body behind it. */
  onAnswer(head: ResponseHead, body: BodyReader): void;
  onAnswerBody(bytes: Buffer, body: BodyReader): void;
  onAnswerEnd(): void;
  /** The answer broke off behind its head, or a tunnel is closed. */
  onAnswerLost(loss: Loss): void;
  /** There is no answer, and there will be none. */
  onNoAnswer(reason: Reason, sentence: string): void;
  /** The body can go on: there is a connection, or it has room again. */
  onReadyForBody(): void;
  /** Of CONNECT: there is a connection, and nothing was sent over it. */
  onConnected(): void;
  onTunnelBack(bytes: Buffer, from: number, to: number): void;
  onTunnelBackEnd(): void;
  /** A fault of the agent itself, for whoever caught it could not say whose request it is. */
  onFault(error: unknown): void;
}

/** What the log says of a request that the agent did not let come to its end because it ends itself. */
export const agentHasEnded = 'the agent has ended';

export interface CallContext extends SocketContext {
  readonly statistics: Statistics;
  readonly pools: Pools;
  readonly clock: Clock;
  readonly random: Random;
  /** What the clients may have under way at the same time, whoever they ask for. */
  readonly clientLimits: CircuitBreaker;
}
