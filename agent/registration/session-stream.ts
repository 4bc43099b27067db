/** The agent's own stream: the registration lives with it. Says what it is told to say, answers pings by itself. */
import { type Client, type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import type { Input } from '../../proto/load.ts';
import { agentService } from '../../proto/services.ts';
import { AgentMessage, HealthState, type Hello, type ServerMessage, type Welcome } from '../../proto/types.ts';
import type { StreamEnd } from '../xds/ads-stream.ts';
import type { AppState } from './health-check.ts';

/** What `sluice status` shows of an agent: '' when there is nothing to say. */
export type Condition = '' | 'stale' | 'foreign-store' | 'older-store';

export interface SessionStream {
  health(state: AppState): void;
  report(condition: Condition, detail: string): void;
  drain(deadlineMs: number): void;
  close(): void;
}

export interface SessionStreamOptions {
  readonly client: Client;
  readonly hello: Input<Hello>;
  readonly onWelcome: (welcome: Welcome) => void;
  /** Ids of the agents that may still send requests here. */
  readonly onDrained: (pending: readonly string[]) => void;
  /** Called once; not after `close`. */
  readonly onEnd: (end: StreamEnd) => void;
}

export const healthStates: { readonly [State in AppState]: HealthState } = {
  starting: HealthState.STARTING,
  passing: HealthState.PASSING,
  failing: HealthState.FAILING,
};

export function startSessionStream(options: SessionStreamOptions): SessionStream {
  const method = agentService.connect;
  const call: ClientDuplexStream<Input<AgentMessage>, ServerMessage> = options.client.makeBidiStreamRequest(
    method.path,
    (message: Input<AgentMessage>) => AgentMessage.encode(message),
    method.responseDeserialize,
    new Metadata(),
    {},
  );
  let isOpen = true;
  const send = (message: Input<AgentMessage>) => {
    if (isOpen) call.write(message);
  };

  call.on('data', ({ welcome, ping, drained }) => {
    if (!isOpen) return;
    if (welcome !== null) options.onWelcome(welcome);
    if (ping !== null) send({ pong: {} });
    if (drained !== null) options.onDrained(drained.pending);
  });
  // 'status' follows with the same, also for a stream that ended well.
  call.on('error', () => {});
  call.on('status', ({ code, details }) => {
    if (!isOpen) return;
    isOpen = false;
    options.onEnd({ code, details });
  });

  send({ hello: options.hello });
  return {
    health: (state) => send({ health: { state: healthStates[state] } }),
    report: (condition, detail) => send({ report: { condition, detail } }),
    drain: (deadlineMs) => send({ drain: { deadlineMs } }),
    close: () => {
      isOpen = false;
      call.cancel();
    },
  };
}
