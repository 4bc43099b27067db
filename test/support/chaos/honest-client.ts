/** A client that does everything as it should, and knows what it may see of what is done to its requests. */
import { Agent, type IncomingMessage, request as sendRequest } from 'node:http';
import { type DeedName, deeds, type Outcome } from './deeds.ts';
import { ofWild } from './endings.ts';

export interface Wish {
  /** The Host header. */
  readonly service: string;
  readonly deed: DeedName;
  readonly method: 'GET' | 'PUT' | 'POST';
  /** Octets of the body of the answer, and of the request. */
  readonly size: number;
  readonly bodySize: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export class HonestClient {
  readonly #port: number;
  readonly #name: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #requests = 0;

  /** `port`: of the agent, on loopback. `name`: of nobody else. */
  constructor(port: number, name: string) {
    this.#port = port;
    this.#name = name;
  }

  get requests(): number {
    return this.#requests;
  }

  /** The id of its next request. */
  get nextId(): string {
    return `${this.#name}-${this.#requests}`;
  }

  /** What is seen of it; `lost` when the agent does not answer, `another's` when the answer is that to another request. */
  ask(wish: Wish): Promise<Outcome> {
    const id = this.nextId;
    this.#requests++;
    return new Promise((resolve) => {
      const body = Buffer.alloc(wish.bodySize, 'b');
      const request = sendRequest({
        port: this.#port,
        host: '127.0.0.1',
        agent: this.#agent,
        method: wish.method,
        headers: {
          host: wish.service,
          'x-id': id,
          'x-request-id': id,
          'x-deed': wish.deed,
          'x-size': String(wish.size),
          ...(wish.method !== 'GET' && { 'content-length': String(body.length) }),
          ...wish.headers,
        },
      });
      request.once('error', ({ message }) => resolve(`lost: ${message}`));
      request.once('response', (response) => read(response, `${id}:`, wish.size, resolve));
      request.end(wish.method === 'GET' ? undefined : body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Whether the client may see this; '' when it may, else a sentence. */
export function complaintOf(wish: Wish, outcome: Outcome): string {
  const seen: readonly Outcome[] = deeds[wish.deed].seen;
  const more = wish.service === 'wild' ? seenOfWild(wish) : [];
  if (seen.includes(outcome) || more.includes(outcome) || (isSentOnce(wish) && outcome === '502 upstream-reset'))
    return '';
  return `${wish.method} ${wish.service} "${wish.deed}": saw "${outcome}" and not ${seen.join(' or ')}`;
}

/** Sent over a connection that had just been closed, and not to be sent again, or too long to be kept for that. */
function isSentOnce({ method, bodySize }: Wish): boolean {
  return method === 'POST' || (method === 'PUT' && bodySize > 64 * 1024);
}

function seenOfWild({ headers = {} }: Wish): readonly Outcome[] {
  const isDelayed = headers['x-rule'] === 'delayed';
  // An instance that answers and goes before it has read everything may take its answer with it.
  const isEarly = headers['x-early'] !== undefined;
  return [...ofWild, ...(isDelayed ? ['418 fault'] : []), ...(isEarly ? ['502 upstream-reset'] : [])];
}

function read(response: IncomingMessage, id: string, size: number, resolve: (outcome: Outcome) => void): void {
  const { statusCode = 0, headers } = response;
  let text = '';
  response.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  response.once('error', () => resolve('cut'));
  response.once('end', () => {
    if (statusCode !== 200) return resolve(`${statusCode} ${headers['x-sluice-reason'] ?? text}`);
    const body = text.replace(/^\.*/, '');
    if (!body.startsWith(id)) return resolve(`another's: ${text.slice(0, 100)}`);
    resolve(body.length === id.length + size ? 'whole' : `200 with ${text.length} octets`);
  });
}
