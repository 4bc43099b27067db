/**
 * To Node SIGUSR1 means to open its debugger to everybody on the machine; whoever sends it to a program of ours wants its log
 * opened anew. This module imports nothing, so that it can be loaded, and the signal taken, before anything else is: from then
 * on Node leaves it alone.
 */

/** Later than Node takes to open it on a signal that came before this program did. */
const lookAgainMs = 1_000;

/** Takes the signal, and closes the debugger if one that came earlier has opened it. One that the command line asks for stays. */
export function keepDebuggerClosed(): void {
  process.on('SIGUSR1', () => {});
  const given = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')];
  if (given.some((flag) => /^--inspect(-brk|-wait)?($|=)/.test(flag))) return;
  closeDebugger();
  // Node opens it in a turn of its own.
  setImmediate(closeDebugger);
  setTimeout(closeDebugger, lookAgainMs).unref();
}

function closeDebugger(): void {
  const inspector = process.getBuiltinModule('node:inspector');
  if (inspector.url() !== undefined) inspector.close();
}
