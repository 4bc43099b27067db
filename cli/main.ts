#!/usr/bin/env node
/** The one command: `sluice`. Only here the process is looked at and ended. */
import { text } from 'node:stream/consumers';
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

/** Who reads our output may stop reading: `sluice agents | head -1` is no error. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

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
};

const exitCode = await runProgram(args, context);
// A reader that is slow gets all of it; after that nothing, such as connections kept for later, is a reason to stay.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise<void>((resolve) => stream.write('', () => resolve()));
}
process.exit(exitCode);
