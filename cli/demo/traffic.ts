/** Steady requests for reviews through the client's agent, counted by the version that answered. */
import { Agent, request } from 'node:http';
import { z } from 'zod';

/** Answers by version. */
export type Counts = Readonly<Record<string, number>>;

const lanes = 4;
/** Each lane sends a request every so often: 200 a second together. */
const laneIntervalMs = 20;
const requestLimitMs = 15_000;

const reviewsAnswer = z.object({ version: z.string() });

export class Traffic {
  readonly #outbound: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: lanes * 2 });
  readonly #counts = new Map<string, number>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #timers: NodeJS.Timeout[] = [];
  #failed = 0;
  #firstFailure = '';

  /** `outbound` is the HOST:PORT of the client's agent. */
  constructor(outbound: string) {
    this.#outbound = outbound;
  }

  /** Of all requests so far. */
  get counts(): Counts {
    return Object.fromEntries(this.#counts);
  }

  get failed(): number {
    return this.#failed;
  }

  /** Why the first request that failed did so. */
  get firstFailure(): string {
    return this.#firstFailure;
  }

  start(): void {
    if (this.#timers.length > 0) return;
    this.#timers = Array.from({ length: lanes }, () => setInterval(() => this.#track(this.#send({})), laneIntervalMs));
  }

  /** Resolves when no request is under way. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    await Promise.allSettled(this.#inFlight);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#agent.destroy();
  }

  /**
   * The versions that answer the next `number` requests, with the steady traffic held back meanwhile: a split is exact
   * over requests that follow each other, not over some of them.
   */
  async measure(number: number, headers: Readonly<Record<string, string>>): Promise<Counts> {
    await this.stop();
    const counts = new Map<string, number>();
    let left = number;
    const lane = async (): Promise<void> => {
      while (left-- > 0) {
        const version = await this.#send(headers);
        counts.set(version, (counts.get(version) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    this.start();
    return Object.fromEntries(counts);
  }

  #track(sent: Promise<unknown>): void {
    this.#inFlight.add(sent);
    sent.finally(() => this.#inFlight.delete(sent));
  }

  /** Never rejects: a request that fails is counted, and answers "failed". */
  async #send(headers: Readonly<Record<string, string>>): Promise<string> {
    try {
      const version = await this.#ask(headers);
      this.#counts.set(version, (this.#counts.get(version) ?? 0) + 1);
      return version;
    } catch (error) {
      this.#failed++;
      this.#firstFailure ||= error instanceof Error ? error.message : String(error);
      return 'failed';
    }
  }

  #ask(headers: Readonly<Record<string, string>>): Promise<string> {
    const [host, port] = this.#outbound.split(':');
    return new Promise((resolve, reject) => {
      const options = { host, port, path: '/reviews/1', agent: this.#agent, headers: { host: 'reviews', ...headers } };
      const sent = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(reviewsAnswer.parse(JSON.parse(text)).version);
          else reject(new Error(`${response.statusCode} ${String(response.headers['x-sluice-reason'] ?? '')} ${text}`));
        });
      });
      sent.setTimeout(requestLimitMs, () => sent.destroy(new Error(`no answer in ${requestLimitMs / 1000} s`)));
      sent.on('error', reject);
      sent.end();
    });
  }
}
