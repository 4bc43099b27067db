/**
 * A service to play with: every path answers who answered, as JSON. It knows nothing of a mesh; an agent stands
 * beside it.
 *
 *   node dist/examples/reviews/reviews.js --port 9080 --version v1      (or PORT and VERSION)
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';

const { PORT = '9080', HOST = '127.0.0.1', VERSION = 'v1', INSTANCE = hostname() } = process.env;
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: PORT },
    host: { type: 'string', default: HOST },
    version: { type: 'string', default: VERSION },
    instance: { type: 'string', default: INSTANCE },
  },
});
const { port, host, version, instance } = values;

const server = createServer((request, response) => {
  const { pathname: path } = new URL(request.url ?? '/', 'http://reviews');
  const body = `${JSON.stringify({ service: 'reviews', version, instance, path })}\n`;
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});

server.on('error', (error) => {
  process.stderr.write(`reviews: cannot listen on ${host}:${port}: ${error.message}\n`);
  process.exit(1);
});

server.listen(Number(port), host, () => {
  // Port 0 takes a free one, so this line says which.
  const address = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ msg: 'listening', service: 'reviews', version, port: address.port })}\n`);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
