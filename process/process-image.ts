/** Goes on as another program in the same process: with other code, and with flags for the runtime, which are given at its start. */
import { constants } from 'node:os';
import koffi from 'koffi';
import { endsWithParent, exitWithParent } from './parent.ts';

const F_SETFD = 2;
/** As `signal` takes it. */
const SIG_IGN = 1;

export interface ProgramImage {
  /** Path of the module. */
  readonly program: string;
  /** Of Node. One that whoever started this process has given, with whatever value, is left as it is. */
  readonly flags: readonly string[];
  /** Is added to that of this process. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Replaces the running program and does not return: the process stays the same, with its id, its arguments, its environment
 * and its open files. Returns when a parent talks to this process over a channel of Node, which would be lost, or when the
 * system refuses.
 */
export function becomeProgram({ program, flags, environment }: ProgramImage): void {
  if (process.channel !== undefined) return;
  // Whoever looks at it takes it away: what begins anew has to see it again.
  const added = { ...environment, ...(endsWithParent ? { [exitWithParent]: '1' } : {}) };
  Object.assign(process.env, added);
  const missing = flags.filter((flag) => !isGiven(flag));
  const argv = [process.execPath, ...process.execArgv, ...missing, program, ...process.argv.slice(2), null];
  try {
    // `null`: the symbols of this very process, which is linked with libc, whatever libc is called on this system.
    const libc = koffi.load(null);
    // Node has told the system to close them when another program begins.
    const fcntl = libc.func('int fcntl(int fd, int command, ...)');
    for (const descriptor of [0, 1, 2]) fcntl(descriptor, F_SETFD, 'int', 0);
    // A handler ends with this program, and to have none means death; what is ignored stays so until Node has begun anew.
    const signal = libc.func('uintptr_t signal(int number, uintptr_t handler)');
    const handler: unknown = signal(constants.signals.SIGUSR1, SIG_IGN);
    libc.func('int execv(const char *path, const char **argv)')(process.execPath, argv);
    signal(constants.signals.SIGUSR1, handler);
  } catch {
    // As it is, it works too.
  }
  for (const name of Object.keys(added)) delete process.env[name];
}

/** Whoever gives the flag with another value means it. */
function isGiven(flag: string): boolean {
  const [name = flag] = flag.split('=');
  return [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')].some((given) => given.startsWith(name));
}
