/** The channel to the process that has started this one by `startFork`. */

export interface ParentChannel {
  /** What is sent after the end is lost. */
  send(message: object): void;
}

export interface ParentChannelOptions {
  /** `handle`: of a socket, when one came along. */
  readonly onMessage: (message: unknown, handle: object | undefined) => void;
  /** The parent has ended, however it ended, or wants to hear nothing more. */
  readonly onEnd: () => void;
}

export function openParentChannel({ onMessage, onEnd }: ParentChannelOptions): ParentChannel {
  process.on('message', (message: unknown, handle: unknown) =>
    onMessage(message, typeof handle === 'object' && handle !== null ? handle : undefined),
  );
  process.once('disconnect', onEnd);
  // It may have ended while this program was still loading.
  if (!process.connected) setImmediate(onEnd);
  return {
    send: (message) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => {});
    },
  };
}
