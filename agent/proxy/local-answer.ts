/**
 * The answers that the agent makes itself. Each carries a reason, which is a word for programs (`x-sluice-reason`, a
 * counter), and a sentence for people.
 */
import type { Exchange, ShortAnswer } from '../http1/http-server.ts';

/** How a request ended. */
export type Ending =
  /** The whole answer of an upstream was passed on. */
  | { readonly is: 'passed'; readonly status: number }
  /** The agent answered itself. */
  | { readonly is: 'refused'; readonly reason: Reason }
  /** The answer broke off after its head: the upstream's connection ended, or time was up. */
  | { readonly is: 'broken-off' }
  | { readonly is: 'client-gone' };

export const reasonHeader = 'x-sluice-reason';

/** Reason, status, and what it means. Where the reader can do something, the sentence of the answer says so. */
export const reasons = {
  /** The request itself is at fault. */
  'bad-request': { status: 400, statusText: 'Bad Request' },
  /** The name, its port or the path leads nowhere, on the word of the control plane. */
  'no-route': { status: 404, statusText: 'Not Found' },
  'head-too-slow': { status: 408, statusText: 'Request Timeout' },
  /** Meant for another instance than the one behind this inbound. */
  'wrong-instance': { status: 421, statusText: 'Misdirected Request' },
  'head-too-large': { status: 431, statusText: 'Request Header Fields Too Large' },
  /** A fault of the agent. */
  internal: { status: 500, statusText: 'Internal Server Error' },
  'not-supported': { status: 501, statusText: 'Not Implemented' },
  /** The connection ended before an answer came; whether the request was carried out is not known. */
  'upstream-reset': { status: 502, statusText: 'Bad Gateway' },
  /** The name is not known yet, and nobody can be asked. */
  unavailable: { status: 503, statusText: 'Service Unavailable' },
  'no-healthy-instance': { status: 503, statusText: 'Service Unavailable' },
  /** No instance accepted a connection: nothing was sent. */
  'upstream-connect-failure': { status: 503, statusText: 'Service Unavailable' },
  timeout: { status: 504, statusText: 'Gateway Timeout' },
} as const;

export type Reason = keyof typeof reasons;

export function isReason(word: string): word is Reason {
  return Object.hasOwn(reasons, word);
}

export interface Refusal {
  readonly reason: Reason;
  readonly sentence: string;
}

/** Answers, and says how the request ended. */
export function refuse(exchange: Exchange, refusal: Refusal): Ending {
  const { head, body } = shortAnswer(refusal);
  exchange.respond(head).end(body);
  return { is: 'refused', reason: refusal.reason };
}

export function shortAnswer({ reason, sentence }: Refusal): ShortAnswer {
  const body = `${sentence}\n`;
  const fields = [
    'content-type',
    'text/plain; charset=utf-8',
    'content-length',
    String(Buffer.byteLength(body)),
    reasonHeader,
    reason,
  ];
  return { head: { ...reasons[reason], fields }, body };
}
