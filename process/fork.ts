/**
 * A program of ours as a process of its own, over whose channel JSON and sockets go: the side of the one who starts it.
 * It has our standard output and error, and our flags for the runtime. The other side is `parent-channel.ts`.
 */
import { type ChildProcess, fork } from 'node:child_process';

export interface Fork {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /**
   * Values arrive in the order in which they are sent. A handle of a socket stays open here as well. What is sent to one
   * that has ended is lost.
   */
  send(message: object, handle?: object): void;
  /** At once. */
  kill(): void;
}

export interface ForkOptions {
  readonly onMessage: (message: unknown) => void;
  /** Once, after all that it has said: how it ended, such as `signal SIGKILL`. */
  readonly onEnd: (how: string) => void;
}

/** `program`: the path of a module. */
export function startFork(program: string, { onMessage, onEnd }: ForkOptions): Fork {
  // As JSON: small messages cost less than as structured clones (docs/adr/0009-workers.md).
  const child = fork(program, { serialization: 'json', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.on('message', onMessage);
  whenOver(child, onEnd);
  return {
    pid: child.pid,
    send: (message, handle) => {
      // Types know the socket alone, not what lies under it, which Node takes too. Of one that has ended `onEnd` tells.
      const arguments_: unknown[] = [message, handle, {}, () => {}];
      if (child.connected) Reflect.apply(child.send, child, arguments_);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Told by `close`, which comes after both: `disconnect` never comes when a handle was on its way (Node 20). */
function whenOver(child: ChildProcess, onEnd: (how: string) => void): void {
  child.once('error', (cause) => {
    // Only one that was never started tells no end of its own.
    if (child.pid === undefined) onEnd(cause.message);
  });
  child.once('close', (code, signal) => {
    if (child.pid !== undefined) onEnd(signal === null ? `exit code ${code}` : `signal ${signal}`);
  });
}
