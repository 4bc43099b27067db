/** Sends a change of the rules, follows its rollout as long as asked, and tells what became of it. */
import type { z } from 'zod';
import { changedAnswer, rolloutAnswer } from '../dashboard-api/answers.ts';
import { formatProblem, type Problem } from '../model/problem.ts';
import type { ApiClient, Question } from './api-client.ts';
import { CommandError, type Context, exitCodes } from './context.ts';
import { count, type Output, paint, print, printable } from './render.ts';

export type Changed = z.output<typeof changedAnswer>;
export type Rollout = z.output<typeof rolloutAnswer>;

/** One request waits this long at most: `fetch` gives up on answers that take minutes, and so do proxies. */
const sliceMs = 60_000;

export interface Change extends Omit<Question<typeof changedAnswer>, 'answer'> {
  readonly waitMs: number | undefined;
  readonly output: Output;
}

/** Resolves with the exit code. */
export async function makeChange(client: ApiClient, context: Context, change: Change): Promise<number> {
  const { waitMs, output, ...question } = change;
  const progress = waitMs === undefined ? undefined : showProgress(client, context);
  const startedMs = context.clock();
  try {
    const { value } = await client.ask({
      ...question,
      query: { ...question.query, wait: sliceText(waitMs) },
      answer: changedAnswer,
    });
    const rollout = await goOnWaiting(client, context, value, startedMs + (waitMs ?? 0));
    progress?.stop();
    const answer: Changed = { ...value, rollout };
    const tookMs = context.clock() - startedMs;
    await print(context, output, answer, () => tell(answer, context, waitMs === undefined ? undefined : tookMs));
    return waitMs !== undefined && rollout !== null && !isComplete(rollout) ? exitCodes.incomplete : exitCodes.done;
  } finally {
    progress?.stop();
  }
}

async function goOnWaiting(
  client: ApiClient,
  { clock }: Context,
  { revision, rollout }: Changed,
  untilMs: number,
): Promise<Rollout | null> {
  let now = rollout;
  while (now !== null && now.pending.length > 0 && now.rejected.length === 0 && untilMs - clock() >= 1) {
    const query = { wait: sliceText(untilMs - clock()) };
    const path = `/api/v1/revisions/${revision}/rollout`;
    try {
      now = (await client.ask({ path, query, answer: rolloutAnswer })).value;
    } catch (error) {
      // The change is accepted, whatever becomes of the server: what was known last is the answer.
      if (error instanceof CommandError) return now;
      throw error;
    }
  }
  return now;
}

function sliceText(waitMs: number | undefined): string | undefined {
  return waitMs === undefined ? undefined : `${Math.max(1, Math.floor(Math.min(waitMs, sliceMs)))}ms`;
}

export function isComplete({ pending, rejected }: Rollout): boolean {
  return pending.length === 0 && rejected.length === 0;
}

/** `tookMs` is undefined when nobody waited. */
export function tell(changed: Changed, { out }: Context, tookMs?: number): string {
  const { revision, changes, warnings, rollout } = changed;
  const colours = { created: 'green', updated: 'yellow', deleted: 'red' } as const;
  const headline =
    rollout === null
      ? `dry run: ${changes.length === 0 ? 'nothing would change' : `${count(changes.length, 'change')} to revision ${revision}`}`
      : changes.length === 0
        ? `nothing changed (last changed by revision ${revision})`
        : `revision ${revision}`;
  const lines = [
    headline,
    ...changes.map(
      ({ kind, namespace, name, action }) => `  ${paint(out, colours[action], action)}  ${kind} ${namespace}/${name}`,
    ),
    ...warnings.map((warning) => `${paint(out, 'yellow', 'warning')}: ${formatProblem(asProblem(warning))}`),
    ...(rollout === null ? [] : rolloutLines(rollout, tookMs, out)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function rolloutLines(rollout: Rollout, tookMs: number | undefined, out: Context['out']): string[] {
  const { agents, applied, pending, rejected, gone } = rollout;
  const late = (word: string, list: Rollout['pending'], colour: 'yellow' | 'red') =>
    list.map(({ id, reason }) => `  ${paint(out, colour, word)}  ${printable(id)}: ${printable(reason)}`);
  const named = [
    ...late('rejected', rejected, 'red'),
    ...late('pending', pending, 'yellow'),
    ...late('gone', gone, 'yellow'),
  ];
  if (agents === 0) return ['no agent holds what it changes', ...named];
  if (tookMs === undefined) {
    const rest = isComplete(rollout) ? '' : '; `sluice status` shows the rest';
    return [`applied on ${applied} of ${count(agents, 'agent')} so far${rest}`, ...late('rejected', rejected, 'red')];
  }
  if (isComplete(rollout)) return [`applied on ${count(applied, 'agent')} in ${Math.round(tookMs)} ms`, ...named];
  return [`applied on ${applied} of ${count(agents, 'agent')} after ${Math.round(tookMs)} ms`, ...named];
}

function asProblem({ file, line, column, path, message }: Changed['warnings'][number]): Problem {
  return {
    path,
    message: printable(message),
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  };
}

/** One line that is written over, on a terminal only. It is decoration: a failure here is no failure of the change. */
function showProgress(client: ApiClient, { err }: Context): { stop(): void } {
  if (!err.isTerminal) return { stop: () => undefined };
  const stopping = new AbortController();
  const follow = async (): Promise<void> => {
    for await (const { name, data } of client.events(stopping.signal)) {
      const rollout = name === 'rollout' ? rolloutAnswer.safeParse(data).data : undefined;
      if (rollout === undefined || stopping.signal.aborted) continue;
      const { revision, applied, agents } = rollout;
      err.write(`\r\u001b[Krevision ${revision}: applied on ${applied} of ${count(agents, 'agent')} …`);
    }
  };
  follow().catch(() => undefined);
  return {
    stop() {
      if (stopping.signal.aborted) return;
      stopping.abort();
      err.write('\r\u001b[K');
    },
  };
}
