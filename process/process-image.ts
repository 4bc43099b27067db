/** Starts this program anew in the same process, with other flags for the runtime: some can be given at its start alone. */
import koffi from 'koffi';
import { endsWithParent, exitWithParent } from './parent.ts';

const F_SETFD = 2;

/**
 * Replaces the running program by itself with these flags of Node, and does not return; the process stays the same, with its
 * id, its environment and its open files. Returns when they are given already, when a parent talks to this process over a
 * channel of Node, which would be lost, or when the system refuses.
 */
export function restartWith(flags: readonly string[]): void {
  const missing = flags.filter((flag) => !isGiven(flag));
  if (missing.length === 0 || process.channel !== undefined) return;
  // Whoever looks at it takes it away: what begins anew has to see it again.
  if (endsWithParent) process.env[exitWithParent] = '1';
  const argv = [process.execPath, ...process.execArgv, ...missing, ...process.argv.slice(1), null];
  try {
    // `null`: the symbols of this very process, which is linked with libc, whatever libc is called on this system.
    const libc = koffi.load(null);
    // Node has told the system to close them when another program begins.
    const fcntl = libc.func('int fcntl(int fd, int command, ...)');
    for (const descriptor of [0, 1, 2]) fcntl(descriptor, F_SETFD, 'int', 0);
    libc.func('int execv(const char *path, const char **argv)')(process.execPath, argv);
  } catch {
    // As it is, it works too.
  }
  delete process.env[exitWithParent];
}

/** Whoever gives the flag with another value means it. */
function isGiven(flag: string): boolean {
  const [name = flag] = flag.split('=');
  return [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')].some((given) => given.startsWith(name));
}
