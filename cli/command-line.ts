/** The one command: `sluice`. Only here the process is looked at and ended. */
import { text } from 'node:stream/consumers';
import { endWithReaders, exitWhenWritten } from '../process/standard-streams.ts';
import type { Context, Screen } from './context.ts';
import { runProgram } from './program.ts';

function screenOf(stream: NodeJS.WriteStream): Screen {
  const { NO_COLOR, TERM } = process.env;
  return {
    write: (chunk) => void stream.write(chunk),
    isTerminal: stream.isTTY === true,
    hasColours: stream.isTTY === true && !NO_COLOR && TERM !== 'dumb',
  };
}

endWithReaders();
const args = process.argv.slice(2);
const interrupt = new AbortController();
// Server, agent and demo end in their own order; every other command just stops.
if (!['server', 'agent', 'demo'].some((name) => args.includes(name))) {
  process.once('SIGINT', () => {
    interrupt.abort();
    // Whatever does not listen to the signal ends here.
    setTimeout(() => process.exit(130), 500).unref();
  });
}

const context: Context = {
  out: screenOf(process.stdout),
  err: screenOf(process.stderr),
  readStdin: () => text(process.stdin),
  environment: process.env,
  fetch,
  clock: () => performance.now(),
  signal: interrupt.signal,
  // It brings what calls the system; `sluice agent` alone uses it.
  becomeProgram: async (image) => (await import('../process/process-image.ts')).becomeProgram(image),
};

await exitWhenWritten(await runProgram(args, context));
