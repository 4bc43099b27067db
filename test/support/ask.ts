/** Asks as an application does, with any Host and target: `fetch` would set both itself. */
import { type Agent, request } from 'node:http';

export interface Asked {
  /** `HOST:PORT` to connect to. */
  readonly at: string;
  /** The Host header; that of `at` unless given. */
  readonly host?: string;
  /** What stands in the request line; '/' unless given. As to an HTTP proxy: `http://reviews/`. */
  readonly target?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Keeps connections; a new connection for each request without. */
  readonly agent?: Agent;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Rejects when the connection fails or breaks off. */
export function ask({ at, host = at, target = '/', method = 'GET', headers, body, agent }: Asked): Promise<Answered> {
  const [, hostname = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(at) ?? [];
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path: target, method, headers: { host, ...headers }, agent: agent ?? false };
    const sent = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
