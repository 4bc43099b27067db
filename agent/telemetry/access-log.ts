/** The access log: which requests have a line, and what stands in it. One JSON object a line, always with the same keys. */
import type { Clock, Random } from '../../process/clock.ts';
import type { LineCounts } from '../../process/line-writer.ts';
import type { RequestFacts } from './request-facts.ts';

/** Where lines go. */
export interface Lines {
  /** Never waits and never throws. */
  write(line: string): void;
  readonly counts: LineCounts;
}

export interface AccessLogOptions {
  readonly lines: Lines;
  /** So many of all requests have a line, 0 to 100. Those that failed always have one. */
  readonly samplePercent: number;
  /** Those that took so long always have one; undefined: how long they took is no reason. */
  readonly slowMs: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a line says besides the facts; '' for what is not known, or what there is not. */
export interface RequestDescription {
  readonly protocol: 'http' | 'tcp';
  readonly method: string;
  /** As the request names it; what stands before an "@" is left out, for it is a password. */
  readonly host: string;
  /** Without the query: secrets stand there. */
  readonly path: string;
  /** Id of the instance that was asked last. */
  readonly instance: string;
  /** Its address and port. */
  readonly upstream: string;
  /** How often an instance was asked. */
  readonly attempts: number;
  /** For a connection to it; 0 for one that was there, -1 when there was none. */
  readonly connectMs: number;
  readonly requestId: string;
  readonly traceparent: string;
}

export class AccessLog {
  readonly #options: AccessLogOptions;

  constructor(options: AccessLogOptions) {
    this.#options = options;
  }

  get counts(): LineCounts {
    return this.#options.lines.counts;
  }

  /** Whether this request, which has ended, has a line. Draws lots: to be asked once. */
  wants(facts: RequestFacts): boolean {
    const { samplePercent, slowMs, random } = this.#options;
    if (hasFailed(facts) || (slowMs !== undefined && facts.durationMs >= slowMs)) return true;
    return samplePercent >= 100 || random() * 100 < samplePercent;
  }

  write(listener: string, facts: RequestFacts, description: RequestDescription): void {
    const { lines, clock } = this.#options;
    lines.write(formatLine({ listener, facts, description, endedAtMs: clock.now() }));
  }
}

/** A redirect is an answer of the agent, but what the operator wants. */
function hasFailed({ ending, status }: RequestFacts): boolean {
  return (ending !== 'passed' && ending !== 'redirect') || status >= 500;
}

interface Line {
  readonly listener: string;
  readonly facts: RequestFacts;
  readonly description: RequestDescription;
  readonly endedAtMs: number;
}

function formatLine({ listener, facts, description, endedAtMs }: Line): string {
  const { protocol, method, host, path, instance, upstream, attempts, connectMs } = description;
  const { ending, durationMs, firstByteMs, revision, routedBy } = facts;
  const cluster = routedBy?.cluster ?? '';
  return JSON.stringify({
    time: new Date(endedAtMs - durationMs).toISOString(),
    listener,
    protocol,
    method: known(method),
    host: known(cut(host.slice(host.lastIndexOf('@') + 1), longestHost)),
    path: known(cut(path, longestPath)),
    status: facts.status === 0 ? null : facts.status,
    reason: ending === 'passed' ? null : ending,
    detail: known(cut(facts.detail, longestDetail)),
    bytesIn: facts.bytesIn,
    bytesOut: facts.bytesOut,
    durationMs: milliseconds(durationMs),
    connectMs: milliseconds(connectMs),
    firstByteMs: milliseconds(firstByteMs),
    service: known(facts.service),
    rule: known(routedBy?.rule ?? ''),
    cluster: known(cluster),
    subset: known(cluster.slice(cluster.lastIndexOf('|') + 1)),
    instance: known(instance),
    upstream: known(upstream),
    attempts,
    revision: revision < 0 ? null : revision,
    requestId: known(cut(description.requestId, longestId)),
    traceparent: known(cut(description.traceparent, longestId)),
    remoteAddress: known(facts.remoteAddress),
  });
}

/** In characters: clients decide how long these are, and a line is not to cost what a head may. */
const longestHost = 255;
const longestPath = 2_048;
const longestDetail = 512;
const longestId = 128;

function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

function known(text: string): string | null {
  return text === '' ? null : text;
}

/** To microseconds; below 0 is not known. */
function milliseconds(ms: number): number | null {
  return ms < 0 ? null : Math.round(ms * 1_000) / 1_000;
}
