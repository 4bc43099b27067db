/** Callers that send a few hundred requests a second, of several kinds in turn, and remember what became of each. */
import { Agent, type IncomingMessage, request as sendRequest } from 'node:http';

export interface Sent {
  readonly id: string;
  readonly method: 'GET' | 'POST';
  /** `stream`: the answer comes in two parts, with a pause between them. */
  readonly path: '/' | '/stream';
  /** `again`: its rule lets it be sent again when a connection ends. `once`: only when none could be established. */
  readonly rule: 'again' | 'once';
  readonly sentAtMs: number;
  /** `whole`; `cut`: the answer had begun; else the status and the reason, or what is wrong. Undefined: none yet. */
  outcome: string | undefined;
}

const requestsPerSecond = 400;
const body = 'a small body';

export class Callers {
  readonly sent: Sent[] = [];
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true });
  #timer: NodeJS.Timeout | undefined;
  #underWay = 0;
  #startMs = 0;
  readonly #listeners = new Set<() => void>();

  /** `port`: of the agent, on loopback. */
  constructor(port: number) {
    this.#port = port;
  }

  start(): void {
    this.#startMs = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#startMs) * requestsPerSecond) / 1_000;
      while (this.sent.length < due) this.#send();
    }, 1);
  }

  /** Resolves when so many more have been answered. */
  async more(count: number): Promise<void> {
    const until = this.#answered + count;
    await this.#when(() => this.#answered >= until);
  }

  /** Resolves when all have been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#when(() => this.#underWay === 0);
    this.#agent.destroy();
  }

  /** How often what was seen, by what was asked. */
  get seen(): Readonly<Record<string, number>> {
    const seen: Record<string, number> = {};
    for (const { method, path, rule, outcome } of this.sent) {
      const key = `${method} ${path} ${rule}: ${outcome}`;
      seen[key] = (seen[key] ?? 0) + 1;
    }
    return seen;
  }

  get #answered(): number {
    return this.sent.length - this.#underWay;
  }

  #send(): void {
    const number = this.sent.length;
    // Out of step with instances that take turns.
    const draw = Math.imul(number + 1, 0x9e3779b1) >>> 8;
    const sent: Sent = {
      id: `request-${number}`,
      method: draw % 2 === 0 ? 'GET' : 'POST',
      path: (draw >>> 1) % 5 < 4 ? '/' : '/stream',
      rule: (draw >>> 4) % 3 < 2 ? 'again' : 'once',
      sentAtMs: performance.now(),
      outcome: undefined,
    };
    this.sent.push(sent);
    this.#underWay++;
    const { id, method, path, rule } = sent;
    const end = (outcome: string) => {
      if (sent.outcome !== undefined) return;
      sent.outcome = outcome;
      this.#underWay--;
      for (const listener of this.#listeners) listener();
    };
    const request = sendRequest({
      port: this.#port,
      host: '127.0.0.1',
      agent: this.#agent,
      method,
      path,
      headers: {
        host: 'reviews',
        'x-id': id,
        'x-rule': rule,
        ...(method === 'POST' && { 'content-length': body.length }),
      },
    });
    request.once('error', ({ message }) => end(`lost: ${message}`));
    request.once('response', (response) => read(response, `${id} ${method === 'POST' ? body.length : 0}`, end));
    request.end(method === 'POST' ? body : undefined);
  }

  async #when(isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
    });
  }
}

function read(response: IncomingMessage, expected: string, end: (outcome: string) => void): void {
  const { statusCode = 0, headers } = response;
  let text = '';
  response.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  response.once('error', () => end('cut'));
  response.once('end', () => {
    if (statusCode !== 200) return end(`${statusCode} ${headers['x-sluice-reason'] ?? text}`);
    end(text === expected ? 'whole' : `another's: ${text}`);
  });
}
