/** Holds the access logs of both agents against what was sent: each request has one line, and it tells the truth. */
import { type AccessLogLine, AccessLogReader } from '../access-log.ts';
import type { Outcome } from './deeds.ts';
import { clientGone, type Ending, endingOf, endingsBehind } from './endings.ts';

/** What is known of a request, or will be before its line is looked at. */
export interface Known {
  /** For complaints: who sent it, and what for. */
  readonly title: string;
  /** Empty: nothing may have been logged. */
  readonly endings: readonly Ending[];
  /** It may be that the agent has not taken it up: the connection ended first. */
  readonly isOptional?: boolean;
  /** It passed the agent of `inner`, and the client saw this. */
  readonly seenThroughInner?: Outcome;
}

const mostComplaints = 20;

/** Of connections to a service that has limits. */
const ofRaw: ReadonlySet<Ending> = new Set(['none passed', 'none overflow', clientGone]);

export class LogLedger {
  readonly #web: AccessLogReader;
  readonly #inner: AccessLogReader;
  #known = new Map<string, Known>();
  /** How often what cannot be known by an id has been sent, by its ending. */
  #nameless = new Map<Ending, number>();
  /** Connections that are none of HTTP, at most. */
  #raw = 0;
  #linesOfWeb = 0;
  /** How often which ending was found. */
  readonly endings: Record<Ending, number> = {};

  constructor(web: string, inner: string) {
    this.#web = new AccessLogReader(web);
    this.#inner = new AccessLogReader(inner);
  }

  /** Lines of the caller's agent that were looked at. */
  get lines(): number {
    return this.#linesOfWeb;
  }

  /** `id`: its `x-request-id`. */
  add(id: string, known: Known): void {
    this.#known.set(id, known);
  }

  /** Something of which no id can be read. */
  addNameless(ending: Ending): void {
    this.#nameless.set(ending, (this.#nameless.get(ending) ?? 0) + 1);
  }

  /** A connection that an agent may take for one that speaks something else than HTTP, and may not. */
  addRaw(): void {
    this.#raw++;
  }

  /** Sentences about all that ended since the last call; when nothing is under way, and all lines are written. */
  async check(): Promise<readonly string[]> {
    const complaints: string[] = [];
    const web = await this.#linesOf(this.#web, 'outbound', complaints);
    const inner = await this.#linesOf(this.#inner, 'inbound', complaints);
    for (const [id, known] of this.#known) {
      const lines = web.get(id) ?? [];
      complaints.push(...complaintsAbout(id, known, lines));
      if (known.seenThroughInner !== undefined) {
        complaints.push(...complaintsBehind(id, known.seenThroughInner, { web: lines, inner: inner.get(id) ?? [] }));
      }
    }
    for (const [ending, count] of this.#nameless) {
      if (count !== 0) complaints.push(`${count} lines too few (below 0: too many) without an id and with "${ending}"`);
    }
    if (this.#raw < 0) complaints.push(`${-this.#raw} lines too many of connections`);
    this.#known = new Map();
    this.#nameless = new Map();
    this.#raw = 0;
    return complaints.slice(0, mostComplaints);
  }

  /** By request; those of no request are counted. */
  async #linesOf(reader: AccessLogReader, side: 'outbound' | 'inbound', complaints: string[]): Promise<LinesById> {
    const byId = new Map<string, AccessLogLine[]>();
    for await (const line of reader.more()) {
      const { requestId } = line;
      const ending = endingOf(line);
      if (side === 'outbound') {
        this.#linesOfWeb++;
        this.endings[ending] = (this.endings[ending] ?? 0) + 1;
      }
      if (line.protocol === 'tcp') {
        this.#raw--;
        if (!ofRaw.has(ending)) complaints.push(`a connection that ended so: ${JSON.stringify(line)}`);
      } else if (requestId !== null && this.#known.has(requestId))
        byId.set(requestId, [...(byId.get(requestId) ?? []), line]);
      else if (requestId === null && side === 'outbound') {
        this.#nameless.set(ending, (this.#nameless.get(ending) ?? 0) - 1);
      } else complaints.push(`a line of nobody's request, ${side}: ${JSON.stringify(line)}`);
    }
    return byId;
  }
}

type LinesById = ReadonlyMap<string, readonly AccessLogLine[]>;

function complaintsAbout(id: string, known: Known, lines: readonly AccessLogLine[]): string[] {
  const { title, endings, isOptional = false } = known;
  const fewest = isOptional || endings.length === 0 ? 0 : 1;
  const most = endings.length === 0 ? 0 : 1;
  if (lines.length < fewest || lines.length > most) {
    return [`${id}, ${title}: has ${lines.length} lines: ${JSON.stringify(lines)}`];
  }
  return lines
    .filter((line) => !endings.includes(endingOf(line)))
    .map((line) => `${id}, ${title}: expected "${endings.join('" or "')}", found ${JSON.stringify(line)}`);
}

/** Each attempt has at most one line there, and the last says why the caller's agent has what it has. */
function complaintsBehind(
  id: string,
  outcome: Outcome,
  { web: [line], inner }: { readonly web: readonly AccessLogLine[]; readonly inner: readonly AccessLogLine[] },
): string[] {
  if (line === undefined) return [];
  const ending = endingOf(line);
  const isOwn = ending.startsWith('502 upstream-');
  const allowed = endingsBehind(ending, outcome);
  const last = inner.at(-1);
  const isTrue = last !== undefined && allowed.includes(endingOf(last));
  // The connection to that agent ended: what it has seen of the request is not known here.
  if (inner.length <= (line.attempts ?? 0) && (isTrue || isOwn)) return [];
  return [`${id}: "${ending}" after ${line.attempts} attempts, behind it ${JSON.stringify(inner)}`];
}
