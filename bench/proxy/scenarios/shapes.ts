/** The requests that are sent to every proxy. */

import { type RequestShape, requestText } from '../load/request.ts';
import { routeHeader, routeValue } from '../peers/peer.ts';

export interface RequestLoad {
  readonly name: string;
  readonly what: string;
  /** Sent in turn. */
  readonly requests: readonly string[];
  readonly routes: number;
  readonly hops: 1 | 2;
  /** A connection for every request. */
  readonly isFresh: boolean;
}

/** Without Host, which makes 20: what a browser sends by way of a gateway. */
const nineteenHeaders = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'accept-language': 'en-GB,en;q=0.9,de;q=0.8',
  'accept-encoding': 'gzip, deflate, br, zstd',
  'cache-control': 'no-cache',
  pragma: 'no-cache',
  referer: 'https://shop.example.com/books/7?page=2',
  cookie: 'session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=all',
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'same-origin',
  'sec-fetch-user': '?1',
  'sec-ch-ua': '"Chromium";v="131", "Not_A Brand";v="24"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
  'upgrade-insecure-requests': '1',
  'x-user-id': '4711',
  'x-tenant': 'books',
  priority: 'u=0, i',
};

const routes = 1000;

export const requestLoads: readonly RequestLoad[] = [
  loadOf('get-100', 'GET, 100 bytes, 1 header', [{ path: '/100' }]),
  loadOf('get-10k', 'GET, 10 KB, 1 header', [{ path: '/10k' }]),
  loadOf('headers-20', 'GET, 100 bytes, 20 headers', [{ path: '/100', headers: nineteenHeaders }]),
  loadOf('post-1k', 'POST, 1 KB', [{ method: 'POST', path: '/100', body: 'p'.repeat(1024) }]),
  {
    ...loadOf('routes-1000', 'GET, 100 bytes, 1,000 routes by header', []),
    requests: Array.from({ length: routes }, (_, index) =>
      requestText({ method: 'GET', path: '/100', headers: { [routeHeader]: routeValue(index) } }),
    ),
    routes,
  },
  {
    ...loadOf('new-connection', 'GET, 100 bytes, new connection each', [
      { path: '/100', headers: { connection: 'close' } },
    ]),
    isFresh: true,
  },
  { ...loadOf('two-hops', 'GET, 100 bytes, two hops', [{ path: '/100' }]), hops: 2 },
];

function loadOf(
  name: string,
  what: string,
  shapes: readonly (Omit<RequestShape, 'method'> & Partial<RequestShape>)[],
): RequestLoad {
  const requests = shapes.map((shape) => requestText({ method: 'GET', ...shape }));
  return { name, what, requests, routes: 0, hops: 1, isFresh: false };
}
