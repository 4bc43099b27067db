/**
 * A process that was started to help another one should not outlive it, however that one ends. Loaded by
 * `node --import`, so that any program can be such a helper: when the pipe at its standard input closes, it is told to
 * end, and made to if it does not. Does nothing unless SLUICE_EXIT_WITH_PARENT is 1.
 */

/** Time to drain. An agent whose server is gone too waits for nobody. */
const graceMs = 5_000;

/** The variable that switches this on when it is 1. */
export const exitWithParent = 'SLUICE_EXIT_WITH_PARENT';

/** Whether this process ends with the one that started it. */
export const endsWithParent = process.env[exitWithParent] === '1';

if (endsWithParent) {
  // Its own children are their own masters: they have another standard input.
  delete process.env[exitWithParent];
  process.stdin.once('end', () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.exit(1), graceMs).unref();
  });
  process.stdin.resume();
  // Waiting for the end is no reason to go on: a helper that is done ends.
  if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();
}
