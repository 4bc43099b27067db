/** Writes to an open descriptor without ever waiting for whoever reads at its other end. */
import { constants, fstatSync, openSync, write } from 'node:fs';
import koffi from 'koffi';

/** As `write` of `node:fs` calls back. An error with the code EAGAIN: there is no room now. */
export type Write = (
  bytes: Buffer,
  from: number,
  to: number,
  then: (error: NodeJS.ErrnoException | null, count: number) => void,
) => void;

export interface OpenDescriptor {
  readonly descriptor: number;
  /** Not for this process alone: it is not to be closed. */
  readonly isShared: boolean;
  /** Neither a pipe nor a socket nor a terminal. */
  readonly isFile: boolean;
  readonly write: Write;
}

/** Appends to a file, which is made when it is missing, or writes to a pipe that somebody reads. Throws when it cannot. */
export function openToAppend(path: string): OpenDescriptor {
  return opened(openSync(path, appending, 0o640), false);
}

/**
 * The standard output of this process. The way in which a descriptor is open is shared with every process that has it too,
 * so it stays as it is: a file or pipe is opened anew, and to a socket each piece is sent without waiting.
 */
export function openStandardOutput(): OpenDescriptor {
  if (process.platform === 'linux' && fstatSync(standardOutput).isSocket()) {
    return { descriptor: standardOutput, isShared: true, isFile: false, write: sendTo(standardOutput) };
  }
  try {
    return opened(openSync('/proc/self/fd/1', appending), false);
  } catch {
    // Somebody else's pipe. A thread may have to wait for it.
    return opened(standardOutput, true);
  }
}

const standardOutput = 1;
/** So that neither opening nor writing waits; to files it makes no difference. */
const appending = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

function opened(descriptor: number, isShared: boolean): OpenDescriptor {
  return {
    descriptor,
    isShared,
    isFile: fstatSync(descriptor).isFile(),
    write: (bytes, from, to, then) => write(descriptor, bytes, from, to - from, null, then),
  };
}

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

function sendTo(descriptor: number): Write {
  // `null`: the symbols of this very process, which is linked with libc, whatever libc is called on this system.
  const send = koffi.load(null).func('long send(int socket, const void *buffer, size_t length, int flags)');
  return (bytes, from, to, then) => {
    const count: unknown = send(descriptor, bytes.subarray(from, to), to - from, MSG_DONTWAIT | MSG_NOSIGNAL);
    const error = Number(count) < 0 ? errorOf(koffi.errno()) : null;
    queueMicrotask(() => then(error, Number(count)));
  };
}

function errorOf(errno: number): NodeJS.ErrnoException {
  const { EAGAIN, EPIPE } = koffi.os.errno;
  const code = errno === EAGAIN ? 'EAGAIN' : errno === EPIPE ? 'EPIPE' : `errno ${errno}`;
  return Object.assign(new Error(`${code}, send`), { code, errno });
}
