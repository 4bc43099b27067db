/** What the admin port answers: of one agent, and of several together or one of them by `?entry=ID`. */
import { formatProblem } from '../../model/problem.ts';
import type { AdminAgent, AdminEntries } from './admin-agent.ts';
import { dumpConfig } from './config-dump.ts';
import { metricsContentType, renderEntryMetrics, renderMetrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';
import { statsOf } from './stats.ts';

export interface Answer {
  readonly status: number;
  /** JSON, unless it is text. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminEndpoint {
  readonly method: 'GET' | 'POST';
  readonly answer: (agent: AdminAgent, body: string) => Answer | Promise<Answer>;
  /** When no entry is named; `of one`: one has to be. */
  readonly together: ((entries: AdminEntries) => Answer | Promise<Answer>) | 'of one';
  /** Of the body; without it nobody reads one. */
  readonly mostBytes?: number;
}

/** Longer than any head that the agent would take. */
const mostExplainBytes = 128 * 1024;

export const endpoints: Readonly<Record<string, AdminEndpoint>> = {
  '/ready': {
    method: 'GET',
    answer: ({ readiness }) => readinessAnswer(readiness()),
    together: (entries) => readinessAnswer(readinessOfAll(entries)),
  },
  '/stats': shown(async ({ report }) => statsOf(await report())),
  '/config_dump': shown(async ({ report }) => dumpConfig(await report())),
  '/clusters': shown(async ({ report }) => (await report()).clusters),
  '/metrics': {
    method: 'GET',
    answer: async ({ report }) => metrics(renderMetrics(await report())),
    together: async (entries) => metrics(renderEntryMetrics(await ofEach(entries, ({ report }) => report()))),
  },
  '/drain': {
    method: 'POST',
    answer: async ({ drain, readiness }) => {
      await drain();
      return ok(readiness());
    },
    together: async (entries) => {
      await ofEach(entries, ({ drain }) => drain());
      return ok(readinessOfAll(entries));
    },
  },
  '/explain': { method: 'POST', answer: explain, together: 'of one', mostBytes: mostExplainBytes },
};

/** `GET /ready` and so on. */
export const endpointPaths: readonly string[] = Object.entries(endpoints).map(
  ([path, { method }]) => `${method} ${path}`,
);

/** Of a shared agent: `query` may name the entry that is meant. */
export function answerOfEntries(
  { answer, together }: AdminEndpoint,
  entries: AdminEntries,
  query: string,
  body: string,
): Answer | Promise<Answer> {
  const id = new URLSearchParams(query).get('entry');
  const there = `there are ${[...entries.keys()].join(', ')}`;
  if (id === null) {
    if (together !== 'of one') return together(entries);
    return problem(400, `this is about one entry of the agent: name it by ?entry=ID; ${there}`);
  }
  const agent = entries.get(id);
  return agent === undefined ? problem(404, `there is no entry "${id.slice(0, 200)}"; ${there}`) : answer(agent, body);
}

export function problem(status: number, sentence: string): Answer {
  return { status, body: { status, error: sentence } };
}

function ok(body: unknown): Answer {
  return { status: 200, body };
}

/** A page of JSON: of several, each under its id. */
function shown(page: (agent: AdminAgent) => Promise<unknown>): AdminEndpoint {
  return {
    method: 'GET',
    answer: async (agent) => ok(await page(agent)),
    together: async (entries) => ok({ entries: Object.fromEntries(await ofEach(entries, page)) }),
  };
}

async function ofEach<Of>(entries: AdminEntries, ask: (agent: AdminAgent) => Promise<Of>): Promise<Map<string, Of>> {
  return new Map(await Promise.all([...entries].map(async ([id, agent]) => [id, await ask(agent)] as const)));
}

/** Ready when all are. */
function readinessOfAll(entries: AdminEntries) {
  const each = [...entries].map(([id, { readiness }]) => [id, readiness()] as const);
  return { ready: each.every(([, { ready }]) => ready), entries: Object.fromEntries(each) };
}

function readinessAnswer(body: Pick<Readiness, 'ready'>): Answer {
  return { status: body.ready ? 200 : 503, body };
}

function metrics(body: string): Answer {
  return { status: 200, body, headers: { 'content-type': metricsContentType } };
}

async function explain({ mesh, report }: AdminAgent, body: string): Promise<Answer> {
  // Most agents are never asked, and need not carry what reads it.
  const { readExplainBody } = await import('./explain-body.ts');
  const { explainRequest } = await import('./explain-request.ts');
  const read = readExplainBody(body);
  if ('asked' in read) {
    const { workers, limits } = await report();
    return ok(explainRequest(read.asked, { ...mesh(), workers: workers.length, limits: limits?.outbound }));
  }
  const { problems } = read;
  const sentence = problems.map(formatProblem).join('; ');
  return { status: 400, body: { status: 400, error: sentence, problems } };
}
