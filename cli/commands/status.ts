/** `sluice status`: is the server ready, which revision is it, and who has it. */
import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { agentAnswer, clientProblemAnswer, revisionAnswer } from '../../dashboard-api/answers.ts';
import type { ApiClient } from '../api-client.ts';
import { CommandError, type Context, exitCodes, type Screen } from '../context.ts';
import { withApi } from '../global-options.ts';
import { example } from '../help.ts';
import { given } from '../options.ts';
import { count, type Output, paint, print, printable, state, table } from '../render.ts';
import type { CommandLine } from '../run.ts';
import { type Agent, detailOf, type Revision } from '../tables.ts';

const readiness = z.looseObject({ ready: z.boolean() });
const newest = z.object({ items: z.array(revisionAnswer) });
const problemPage = z.object({ items: z.array(clientProblemAnswer), next: z.string().nullable() });

/** More than these say nothing more about what to do. */
const mostProblems = 20;

interface Status {
  readonly server: z.output<typeof readiness>;
  /** Null before the first one. */
  readonly revision: Revision | null;
  readonly agents: readonly Agent[];
  /** What connected clients cannot do of the rules: the first of them; `next` when there are more. */
  readonly problems: z.output<typeof problemPage>;
}

/** How long to be quiet before asking a server again that does not answer. */
const retryMs = 1_000;
/** Between two looks while things keep changing: nobody reads faster, and each look reads every agent. */
const restMs = 100;

export function completeStatus(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .option('--watch', 'show it again whenever something changes, until Ctrl-C')
    .addHelpText('after', example('status', 'status --watch'))
    .action(
      run(async () => {
        const { client, output, watch } = given(command, context);
        if (watch) await watchStatus(client, context, output);
        else await show(context, output, client.url, await readStatus(client));
        return exitCodes.done;
      }),
    );
}

async function readStatus(client: ApiClient): Promise<Status> {
  const [server, { value }, agents, problems] = await Promise.all([
    client.ask({ path: '/readyz', answer: readiness, alsoFine: [503] }),
    client.ask({ path: '/api/v1/revisions', query: { limit: '1' }, answer: newest }),
    client.list('/api/v1/agents', {}, agentAnswer),
    client.ask({ path: '/api/v1/problems', query: { limit: String(mostProblems) }, answer: problemPage }),
  ]);
  return { server: server.value, revision: value.items[0] ?? null, agents, problems: problems.value };
}

/** Asks again when events say that something changed: one question at a time, however many events come. */
async function watchStatus(client: ApiClient, context: Context, output: Output): Promise<void> {
  const { signal, err } = context;
  let isLost = false;
  while (!signal.aborted) {
    const attempt = new AbortController();
    try {
      for await (const _ of bursts(client.events(AbortSignal.any([signal, attempt.signal])))) {
        const status = await readStatus(client);
        isLost = false;
        await show(context, output, client.url, status);
        await pause(restMs, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isLost)
        err.write(`${error instanceof CommandError ? error.message : 'the connection was lost'}\nTrying again …\n`);
      isLost = true;
    } finally {
      attempt.abort();
    }
    await pause(retryMs, signal);
  }
}

/** Yields once for all events that came since it was last asked. Ends, or throws, as they do. */
async function* bursts(events: AsyncIterable<unknown>): AsyncGenerator<void> {
  let hasNews = false;
  let isOver = false;
  let wake = () => {};
  const reading = (async () => {
    for await (const _ of events) {
      hasNews = true;
      wake();
    }
  })().finally(() => {
    isOver = true;
    wake();
  });
  // Told at the end, to whoever still asks then.
  reading.catch(() => {});
  for (;;) {
    if (!hasNews && !isOver) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (!hasNews) return reading;
    hasNews = false;
    yield;
  }
}

/** Shorter when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {});
}

async function show(context: Context, output: Output, url: string, status: Status): Promise<void> {
  // On a terminal the newest state stands alone; elsewhere each follows the one before.
  if (output === 'table' && context.out.isTerminal) context.out.write('\u001b[2J\u001b[H');
  await print(context, output, status, () => statusText(context.out, url, status));
}

function statusText(out: Screen, url: string, { server, revision, agents, problems }: Status): string {
  const { ready, ...more } = server;
  const details = Object.entries(more).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const readyText = ready ? paint(out, 'green', 'ready') : paint(out, 'red', 'not ready');
  const by =
    revision === null ? '' : `  ${revision.at} by ${revision.by}${revision.message && `: ${revision.message}`}`;
  const lines = [
    `server    ${url}  ${readyText}  ${printable(details.join(' '))}`.trimEnd(),
    `revision  ${revision?.revision ?? 0}${printable(by)}`,
    `agents    ${count(agents.length, 'agent')}`,
  ];
  const behind = agents.filter(({ state }) => state !== 'current' && state !== 'accepted');
  return [
    ...lines.map((line) => `${line}\n`),
    ...(agents.length === 0 ? [] : ['\n', byRevision(out, agents)]),
    ...(behind.length === 0 ? [] : ['\n', behindTable(out, behind)]),
    ...(problems.items.length === 0 ? [] : ['\n', problemsTable(out, problems)]),
  ].join('');
}

/** How many agents stand where: newest revision first. */
function byRevision(out: Screen, agents: readonly Agent[]): string {
  const groups = grouped(agents);
  const rows = [...groups.values()]
    .sort(([a], [b]) => (b?.revision.applied ?? 0) - (a?.revision.applied ?? 0))
    .flatMap((group) => {
      const [first] = group;
      if (first === undefined) return [];
      return [[String(first.revision.applied), state(first.state), String(group.length)]];
    });
  return table(out, ['APPLIED', 'STATE', 'AGENTS'], rows);
}

function behindTable(out: Screen, agents: readonly Agent[]): string {
  const rows = agents.map((agent) => [agent.id, agent.namespace, state(agent.state), detailOf(agent)]);
  return table(out, ['AGENT', 'NAMESPACE', 'STATE', 'DETAIL'], rows);
}

/** What is left out of the rules, and for whom. */
function problemsTable(out: Screen, { items, next }: Status['problems']): string {
  const rows = items.map(({ clients, document, path, message }) => [clients, document, path, message]);
  const more = next === null ? '' : '… and more: GET /api/v1/problems\n';
  return table(out, ['CLIENTS', 'DOCUMENT', 'FIELD', 'NOT POSSIBLE'], rows) + more;
}

function grouped(agents: readonly Agent[]): Map<string, Agent[]> {
  const groups = new Map<string, Agent[]>();
  for (const agent of agents) {
    const key = `${agent.revision.applied} ${agent.state}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [agent]);
    else group.push(agent);
  }
  return groups;
}
