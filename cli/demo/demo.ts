/** `sluice demo` from start to end: real processes come up, rules are applied under traffic, everything goes again. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError, type Context, exitCodes } from '../context.ts';
import { paint } from '../render.ts';
import { Children } from './children.ts';
import { showLive } from './live-view.ts';
import { startMesh } from './mesh.ts';
import { shares, showStep, steps } from './steps.ts';
import { Traffic } from './traffic.ts';

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const warmUp = 30;

/** Resolves with the exit code when no process of the demo runs any more. */
export async function runDemo(context: Context): Promise<number> {
  const ending = new AbortController();
  const death = new Promise<never>((_resolve, reject) => {
    ending.signal.addEventListener('abort', () => reject(ending.signal.reason));
  });
  death.catch(() => undefined);
  // A second signal does not wait: the exit handlers take the processes and the directory along.
  const onSignal = (signal: NodeJS.Signals) =>
    ending.signal.aborted ? process.exit(1) : ending.abort(new Ended(signal));
  for (const signal of endSignals) process.on(signal, onSignal);

  const folder = await mkdtemp(join(tmpdir(), 'sluice-demo-'));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeFolder);
  const children = new Children((what) => ending.abort(new CommandError(what)));
  /** Ctrl-C before the end of the steps tells nothing about them; after it, it is the way to end. */
  let exitCode: number = exitCodes.interrupted;
  const onShown = (code: number): void => {
    exitCode = code;
  };
  try {
    await Promise.race([show({ children, folder, context, signal: ending.signal, onShown }), death]);
    return exitCode;
  } catch (error) {
    if (error instanceof Ended) return exitCode;
    throw error;
  } finally {
    await children.end();
    await rm(folder, { recursive: true, force: true });
    process.removeListener('exit', removeFolder);
    for (const signal of endSignals) process.removeListener(signal, onSignal);
  }
}

/** Ctrl-C and its like: no fault, and nothing to say about it. */
class Ended extends Error {}

interface Show {
  readonly children: Children;
  readonly folder: string;
  readonly context: Context;
  readonly signal: AbortSignal;
  /** Told the exit code when all steps have been shown. */
  readonly onShown: (exitCode: number) => void;
}

async function show({ children, folder, context, signal, onShown }: Show): Promise<void> {
  const { out, clock } = context;
  out.write('Starting a server, reviews v1 (two instances) and v2 (one), and a client, each with its agent …\n');
  const startedMs = clock();
  const { client, outbound } = await startMesh(children, folder, context);
  out.write(
    `Ready in ${((clock() - startedMs) / 1000).toFixed(1)} s: server ${client.url}, client's agent ${outbound}\n`,
  );

  const traffic = new Traffic(outbound);
  try {
    const counts = await traffic.measure(warmUp, {});
    out.write(`\n${paint(out, 'bold', 'No rule yet')}: all instances share   measured ${shares(counts, 1)}\n`);
    let isGood = traffic.failed === 0;
    for (const step of steps) isGood = (await showStep(step, client, traffic, context)) && isGood;
    const verdict = isGood
      ? paint(out, 'green', 'Every split was exact and no request failed.')
      : paint(out, 'red', `Something was off; failed requests: ${traffic.failed} ${traffic.firstFailure}`);
    out.write(`\n${verdict}\n`);
    onShown(isGood ? exitCodes.done : exitCodes.refused);
    if (out.isTerminal) await showLive(client, traffic, context, signal);
    await traffic.stop();
  } finally {
    traffic.close();
  }
}
