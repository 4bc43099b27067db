/** What sockets share in tests: a fault of the agent fails the test. */
import { Deadlines } from '../../../../agent/http1/deadlines.ts';
import type { SocketContext } from '../../../../agent/http1/transport.ts';
import type { Clock } from '../../../../process/clock.ts';

export function createSocketContext(clock: Clock): SocketContext {
  const onFault = (error: unknown) => {
    throw error;
  };
  return { deadlines: new Deadlines(clock, onFault), onFault };
}
