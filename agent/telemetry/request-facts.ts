/**
 * What is known of a request under way, for those who look at it when it has ended: integers, times and references, which
 * cost as much as their assignment. One object serves one request after another.
 */
import type { Counter, Ended, Ending } from './counter.ts';

/** The decision that routes it, as far as it is counted and logged. */
export interface RoutedBy {
  /** '' for a service without a Route. */
  readonly rule: string;
  /** '' for a redirect. */
  readonly cluster: string;
  /** Where it was counted last, for statistics to find at once. Decisions are the same objects as long as the rules are. */
  counter?: unknown;
}

export class RequestFacts implements Ended {
  /** By the clock's `elapsed`. */
  beganAtMs = 0;
  durationMs = 0;
  /** Since it began, until the head of its answer came; -1: none has come, or nobody wants to know. */
  firstByteMs = -1;
  bytesIn = 0;
  bytesOut = 0;
  status = 0;
  ending: Ending = 'passed';
  isTunnel = false;
  /** More on the ending, for people: a sentence of the agent, in which nothing of the request stands. */
  detail = '';
  /** `reviews.default`; '' as long as no service is found. */
  service = '';
  /** Of the view in which the service was found; -1 when it is none of a view. */
  revision = -1;
  routedBy: RoutedBy | undefined;
  /** Of the client; '' when nobody wants to know. */
  remoteAddress = '';
  /** What else it is counted by, besides the total. */
  counter: Counter | undefined;

  begin(nowMs: number): void {
    this.beganAtMs = nowMs;
    this.durationMs = 0;
    this.firstByteMs = -1;
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.status = 0;
    this.ending = 'passed';
    this.isTunnel = false;
    this.detail = '';
    this.service = '';
    this.revision = -1;
    this.routedBy = undefined;
    this.remoteAddress = '';
    this.counter = undefined;
  }
}
