/** The access log: which requests have a line, and what stands in it. One JSON object a line, always with the same keys. */
import type { Clock, Random } from '../../process/clock.ts';
import type { LineCounts } from '../../process/line-writer.ts';
import { fragment, JsonLine } from './json-line.ts';
import type { RequestFacts, RoutedBy } from './request-facts.ts';

/** Where lines go. */
export interface Lines {
  /** A line, without its end, stands at the beginning of the bytes; they are good until it returns. Never waits and never throws. */
  write(bytes: Buffer, length: number): void;
  readonly counts: LineCounts;
}

export interface AccessLogOptions {
  readonly lines: Lines;
  /** Stands in each line, before `listener`; without one lines have no such key. */
  readonly entry?: string | undefined;
  /** So many of all requests have a line, 0 to 100. Those that failed always have one. */
  readonly samplePercent: number;
  /** Those that took so long always have one; undefined: how long they took is no reason. */
  readonly slowMs: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** Whoever carries the request, and knows what its facts do not say. Asked when it has ended, and only if it has a line. */
export interface Describable {
  /** Adds `protocol`, `method`, `host`, `path`, `requestId`, `traceparent`, `instance`, `upstream`, `attempts`, `connectMs`. */
  describe(line: JsonLine): void;
}

/** One for all: a line is made and handed over within one call. */
const line = new JsonLine();

export class AccessLog {
  readonly #options: AccessLogOptions;
  readonly #times = new Times();
  readonly #byListener = new Map<string, Buffer>();
  /** Decisions are the same objects as long as the rules are. */
  readonly #byDecision = new WeakMap<RoutedBy, Buffer>();

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

  write(listener: string, facts: RequestFacts, request: Describable): void {
    const { lines, clock } = this.#options;
    line.begin();
    line.text('time', this.#times.format(clock.now() - facts.durationMs));
    line.add(this.#listener(listener));
    request.describe(line);
    line.number('status', facts.status === 0 ? -1 : facts.status);
    line.text('reason', facts.ending === 'passed' ? '' : facts.ending);
    line.text('detail', facts.detail);
    line.number('bytesIn', facts.bytesIn);
    line.number('bytesOut', facts.bytesOut);
    line.milliseconds('durationMs', Math.max(0, facts.durationMs));
    line.milliseconds('firstByteMs', facts.firstByteMs);
    line.text('service', facts.service);
    line.add(facts.routedBy === undefined ? notRouted : this.#decision(facts.routedBy));
    line.number('revision', facts.revision);
    line.text('remoteAddress', facts.remoteAddress);
    line.end();
    lines.write(line.bytes, line.length);
  }

  #listener(name: string): Buffer {
    const known =
      this.#byListener.get(name) ??
      fragment((to) => {
        if (this.#options.entry !== undefined) to.text('entry', this.#options.entry);
        to.text('listener', name);
      });
    this.#byListener.set(name, known);
    return known;
  }

  #decision(decision: RoutedBy): Buffer {
    const known = this.#byDecision.get(decision);
    if (known !== undefined) return known;
    const made = decisionFragment(decision);
    this.#byDecision.set(decision, made);
    return made;
  }
}

function decisionFragment({ rule, cluster }: RoutedBy): Buffer {
  return fragment((to) => {
    to.text('rule', rule);
    to.text('cluster', cluster);
    to.text('subset', cluster.slice(cluster.lastIndexOf('|') + 1));
  });
}

const notRouted = decisionFragment({ rule: '', cluster: '' });

/** A redirect is an answer of the agent, but what the operator wants. */
function hasFailed({ ending, status }: RequestFacts): boolean {
  return (ending !== 'passed' && ending !== 'redirect') || status >= 500;
}

/** Times as ISO 8601 has them, of which one after the other mostly lies in the same second. */
class Times {
  #second = Number.NaN;
  #untilSecond = '';

  format(ms: number): string {
    const whole = Math.floor(ms);
    const second = Math.floor(whole / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#untilSecond = new Date(second * 1_000).toISOString().slice(0, -'000Z'.length);
    }
    return `${this.#untilSecond}${String(whole - 1_000 * second).padStart(3, '0')}Z`;
  }
}
