/**
 * The answers that the agent makes itself. Each carries a reason, which is a word for programs (`x-sluice-reason`, a
 * counter), and a sentence for people: as text, or as problem+json where the client accepts that.
 */
import type { HeaderEdits } from '../../routing/header-edits.ts';
import type { ByteWriter } from '../http1/byte-writer.ts';
import { statusPhrase } from '../http1/status-phrase.ts';

export const reasonHeader = 'x-sluice-reason';

/** Reason, status, and what it means. Where the reader can do something, the sentence of the answer says so. */
export const reasons = {
  /** The request itself is at fault. */
  'bad-request': { status: 400 },
  /** The name, its port or the path leads nowhere, on the word of the control plane. */
  'no-route': { status: 404 },
  'head-too-slow': { status: 408 },
  'target-too-long': { status: 414 },
  /** Meant for another instance than the one behind this inbound. */
  'wrong-instance': { status: 421 },
  'head-too-large': { status: 431 },
  /** A fault of the agent. */
  internal: { status: 500 },
  'not-supported': { status: 501 },
  /** The connection ended before an answer came; whether the request was carried out is not known. */
  'upstream-reset': { status: 502 },
  /** What the upstream sent is no HTTP/1.1 response. */
  'upstream-malformed': { status: 502 },
  /** The name is not known yet, and nobody can be asked. */
  unavailable: { status: 503 },
  'no-healthy-instance': { status: 503 },
  /** No instance accepted a connection: nothing was sent. */
  'upstream-connect-failure': { status: 503 },
  /** A circuit breaker is open: as many requests or connections as the TrafficPolicy allows are under way. */
  overflow: { status: 503 },
  timeout: { status: 504 },
  'http-version': { status: 505 },
  /** The rule says so: its status is the answer's. */
  fault: { status: 503 },
  /** The rule says so: its status is the answer's. */
  redirect: { status: 302 },
} as const;

export type Reason = keyof typeof reasons;

export function isReason(word: string): word is Reason {
  return Object.hasOwn(reasons, word);
}

export interface Refusal {
  readonly reason: Reason;
  readonly sentence: string;
  /** In place of the reason's own. */
  readonly status?: number;
  readonly location?: string;
  /** What the rule says of the headers of its answers; a redirect is one of them. */
  readonly changes?: HeaderEdits | undefined;
}

/** How the answer is to be written for this client. */
export interface AnswerForm {
  /** Not for the answer to HEAD, which has the same head. */
  readonly withBody: boolean;
  readonly asProblem: boolean;
  /** What the client is told of its connection; undefined: nothing, so it stays. */
  readonly connection: 'close' | 'keep-alive' | undefined;
}

/** The whole answer. */
export function writeAnswer(writer: ByteWriter, refusal: Refusal, form: AnswerForm): void {
  const { reason, sentence, location } = refusal;
  const status = statusOf(refusal);
  const phrase = statusPhrase(status);
  // RFC 9110, 15: these have none, and what stood there would be read as the next answer.
  const hasBody = status !== 204 && status !== 205 && status !== 304;
  const body = form.asProblem
    ? `${JSON.stringify({ type: 'about:blank', title: phrase, status, detail: sentence, reason })}\n`
    : `${sentence}\n`;
  writer.text(`HTTP/1.1 ${status} ${phrase}\r\n`);
  const contentType = form.asProblem ? 'application/problem+json' : 'text/plain; charset=utf-8';
  if (!isChanged('content-type', refusal.changes)) writer.header('content-type', contentType);
  if (hasBody) writer.header('content-length', String(Buffer.byteLength(body)));
  else if (status === 205) writer.header('content-length', '0');
  // A redirect is the operator's answer, not a complaint of the agent.
  if (reason !== 'redirect') writer.header(reasonHeader, reason);
  if (location !== undefined && !isChanged('location', refusal.changes)) writer.header('location', location);
  for (const [name, value] of refusal.changes?.set ?? []) writer.header(name, value);
  for (const [name, value] of refusal.changes?.add ?? []) writer.header(name, value);
  if (form.connection !== undefined) writer.header('connection', form.connection);
  writer.text('\r\n');
  if (!form.withBody || !hasBody) return;
  const bytes = Buffer.from(body);
  writer.copy(bytes, 0, bytes.length);
}

function isChanged(name: string, changes: HeaderEdits | undefined): boolean {
  return changes !== undefined && (changes.remove.includes(name) || changes.set.some(([set]) => set === name));
}

export function statusOf({ reason, status }: Pick<Refusal, 'reason' | 'status'>): number {
  return status ?? reasons[reason].status;
}
