/**
 * What an upstream does to a request: the request says it itself, in `x-deed`. Beside each deed stands what the client of an
 * agent may see of it, whatever goes on around it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * `whole`: status 200 and all of the body; `cut`: a body that breaks off; else the status and the reason of an agent,
 * or what the instance said in place of one.
 */
export type Outcome = string;

export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Begins with the id of the request: what comes back is of this request and of no other. */
  readonly body: string;
  /** Between the octets of who is slow. */
  readonly slowMs: number;
  /** No other request has come over the connection meanwhile. */
  readonly isLast: () => boolean;
}

export interface Deed {
  readonly act: (asked: Asked) => void;
  readonly seen: readonly Outcome[];
}

const head = 'HTTP/1.1 200 OK\r\n';

/** Bytes past the HTTP server of Node, which waits for an answer of its own for ever: the connection serves nobody else. */
function raw({ request }: Asked, text: string, then: 'keep' | 'end' | 'reset' = 'keep'): void {
  const { socket } = request;
  socket.write(text, 'latin1', () => {
    if (then === 'end') socket.end();
    else if (then === 'reset') socket.resetAndDestroy();
  });
}

function sized(body: string): string {
  return `Content-Length: ${body.length}\r\n\r\n`;
}

const reset = ['502 upstream-reset'];
const malformed = ['502 upstream-malformed'];

export const deeds = {
  answer: { act: ({ response, body }) => void response.end(body), seen: ['whole'] },
  'answer in chunks': {
    act({ response, body }) {
      response.setHeader('trailer', 'x-sum');
      for (let at = 0; at < body.length; at += 1_000) response.write(body.slice(at, at + 1_000));
      response.addTrailers({ 'x-sum': '1' });
      response.end();
    },
    seen: ['whole'],
  },
  'answer until the end': { act: (asked) => raw(asked, `${head}\r\n${asked.body}`, 'end'), seen: ['whole'] },
  'answer, and close a little later': {
    act({ request, response, body, slowMs, isLast }) {
      response.end(body, () => setTimeout(() => isLast() && request.socket.destroy(), slowMs / 10));
    },
    seen: ['whole'],
  },
  'answer after heads that come before': {
    act({ response, body }) {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end(body));
    },
    seen: ['whole'],
  },
  'answer an octet at a time': {
    act({ response, body, slowMs }) {
      response.writeHead(200, { 'content-length': String(10 + body.length) });
      let left = 10;
      const timer = setInterval(() => {
        if (response.destroyed || left-- === 0) {
          clearInterval(timer);
          response.end(body);
        } else response.write('.');
      }, slowMs);
      response.once('close', () => clearInterval(timer));
    },
    seen: ['whole'],
  },
  'answer, and say more than was asked': {
    act: (asked) =>
      raw(asked, `${head}${sized(asked.body)}${asked.body}HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlie`),
    seen: ['whole'],
  },
  refuse: { act: ({ response }) => void response.writeHead(503).end('busy'), seen: ['503 busy'] },
  fail: { act: ({ response }) => void response.writeHead(500).end('broken'), seen: ['500 broken'] },
  'accept, and never answer': { act: () => {}, seen: ['504 timeout'] },
  'begin to answer, and never end': {
    act: ({ response }) => void response.writeHead(200, { 'content-length': '1000' }).write('begun'),
    seen: ['cut'],
  },
  reset: { act: ({ request }) => void request.socket.resetAndDestroy(), seen: reset },
  end: { act: ({ request }) => void request.socket.end(), seen: reset },
  'reset in the head': { act: (asked) => raw(asked, `${head}Content-Len`, 'reset'), seen: reset },
  'end in the head': { act: (asked) => raw(asked, `${head}Content-Len`, 'end'), seen: reset },
  // The bytes and the reset may come at the same time: then there is no answer that could break off.
  'reset in the body': {
    act: (asked) => raw(asked, `${head}${sized('x'.repeat(1_000))}begun`, 'reset'),
    seen: ['cut', ...reset],
  },
  'end in the body': { act: (asked) => raw(asked, `${head}${sized('x'.repeat(1_000))}begun`, 'end'), seen: ['cut'] },
  'end in the chunks': {
    act: (asked) => raw(asked, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n`, 'end'),
    seen: ['cut'],
  },
  'speak nonsense': { act: (asked) => raw(asked, '\0\x01\x02 nonsense\r\n\r\n'), seen: malformed },
  'speak nonsense in chunks': {
    act: (asked) => raw(asked, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\nzz\r\n`),
    seen: ['cut', ...malformed],
  },
  'give two lengths': {
    act: (asked) => raw(asked, `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`),
    seen: malformed,
  },
  'switch the protocol unasked': {
    act: (asked) => raw(asked, 'HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    seen: malformed,
  },
} as const satisfies Record<string, Deed>;

export type DeedName = keyof typeof deeds;

export const deedNames = Object.keys(deeds).filter(isDeed);

export function isDeed(name: string): name is DeedName {
  return Object.hasOwn(deeds, name);
}

/** Those after which the client has all of its answer. */
export const kindDeeds: readonly DeedName[] = deedNames.filter((name) => deeds[name].seen.join() === 'whole');

/** Those that end only when somebody's patience does. */
export const silentDeeds: ReadonlySet<DeedName> = new Set([
  'accept, and never answer',
  'begin to answer, and never end',
]);
