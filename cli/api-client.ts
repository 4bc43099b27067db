/** Talks to the REST API: what it answered, typed; its refusals; and a helpful sentence when nobody answers. */
import { userInfo } from 'node:os';
import { z } from 'zod';
import { problemAnswer } from '../dashboard-api/answers.ts';
import { formatProblem } from '../model/problem.ts';
import { CommandError, type Context, defaultApi, exitCodes } from './context.ts';

export interface Question<Schema extends z.ZodType> {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly answer: Schema;
  /** Statuses besides 200 that are an answer and no refusal. */
  readonly alsoFine?: readonly number[];
}

export interface Reply<Value> {
  readonly status: number;
  readonly headers: Headers;
  readonly value: Value;
  /** The answer as it came, for `-o json`. */
  readonly body: unknown;
}

export interface ServerEvent {
  readonly name: string;
  readonly data: unknown;
}

/** The server said no. */
export class Refused extends CommandError {
  readonly status: number;

  /** `hint` ends the sentence with what the command knows and the server does not. */
  constructor(status: number, body: unknown, hint = '') {
    super(sentenceOf(status, body) + hint, exitCodes.refused, body);
    this.status = status;
  }
}

const page = z.object({ items: z.array(z.unknown()), next: z.string().nullable() });

export class ApiClient {
  readonly url: string;
  readonly #context: Context;

  /** Throws a usage error when the address is none. */
  constructor(url: string, context: Context) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new CommandError(`--api ${url}: must be a URL such as ${defaultApi}`, exitCodes.usage);
    }
    this.url = url.replace(/\/+$/, '');
    this.#context = context;
  }

  async ask<Schema extends z.ZodType>(question: Question<Schema>): Promise<Reply<z.output<Schema>>> {
    const { method = 'GET', path, query = {}, headers = {}, body, answer, alsoFine = [] } = question;
    const response = await this.#fetch(path + queryText(query), {
      method,
      headers: {
        accept: 'application/json',
        ...(method === 'GET' ? {} : { 'x-sluice-by': author() }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const received = await this.#read(response);
    if (!response.ok && !alsoFine.includes(response.status)) throw new Refused(response.status, received);
    const parsed = answer.safeParse(received);
    if (!parsed.success) throw this.#stranger(`its answer is not understood: ${parsed.error.issues[0]?.message}`);
    return { status: response.status, headers: response.headers, value: parsed.data, body: received };
  }

  /** All pages of a list, as one. */
  async list<Schema extends z.ZodType>(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    item: Schema,
  ): Promise<z.output<Schema>[]> {
    const items: z.output<Schema>[] = [];
    for (let cursor: string | undefined; ; ) {
      const { value } = await this.ask({ path, query: { limit: '1000', ...query, cursor }, answer: page });
      items.push(...z.array(item).parse(value.items));
      if (value.next === null) return items;
      cursor = value.next;
    }
  }

  /** What happens from now on, until the signal aborts or the connection ends. */
  async *events(signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const response = await this.#fetch('/api/v1/events', { signal });
    if (!response.ok || response.body === null) throw new Refused(response.status, await this.#read(response));
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
        if (name !== undefined && data !== undefined) yield { name, data: JSON.parse(data) };
      }
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const { fetch, signal } = this.#context;
    try {
      return await fetch(this.url + path, { signal, ...init });
    } catch (error) {
      if (signal.aborted || init.signal?.aborted) throw error;
      const isChange = init.method !== undefined && init.method !== 'GET';
      if (isChange && lostCodes.includes(reasonOf(error))) {
        throw new CommandError(
          `the connection to ${this.url} was lost before the answer; \`sluice history\` shows whether the change was accepted`,
        );
      }
      throw new CommandError(
        `cannot reach the server at ${this.url}: ${reasonOf(error)}.\n` +
          'Is it running? `sluice server` starts one; --api URL or SLUICE_API names another.',
      );
    }
  }

  async #read(response: Response): Promise<unknown> {
    const text = await response.text();
    if (text === '') return null;
    try {
      return JSON.parse(text);
    } catch {
      throw this.#stranger(`it answered ${response.status} without JSON`);
    }
  }

  #stranger(what: string): CommandError {
    return new CommandError(`${this.url} does not look like a Sluice server: ${what}`);
  }
}

/** The request was sent, so it may have been heard. */
const lostCodes = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT'];

function sentenceOf(status: number, body: unknown): string {
  const parsed = problemAnswer.partial({ code: true }).safeParse(body);
  if (!parsed.success) return `the server answered ${status}`;
  const faults = parsed.data.errors.map(({ file, line, column, ...rest }) =>
    formatProblem({
      ...rest,
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
    }),
  );
  return [...faults, parsed.data.detail].join('\n');
}

function queryText(query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** `fetch` says only "fetch failed" and keeps the reason as its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return String(cause);
}

/** Who makes changes from here. Headers carry Latin-1, so UTF-8 goes as its bytes. */
function author(): string {
  return Buffer.from(`cli:${userName()}`, 'utf8').toString('latin1').slice(0, 200);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return String(process.getuid?.() ?? 'unknown');
  }
}
