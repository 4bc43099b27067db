/**
 * The forwarder that anybody writes on node:http, and what the memory and CPU of a proxy in plain Node.js are compared
 * with. Plain JavaScript, so that no loader stands beside it. Arguments: its port, how many rules by header, and
 * PORT=WEIGHT of the backends.
 */
import http from 'node:http';

const [port, routes, ...shares] = process.argv.slice(2);
const backends = shares.map((share) => share.split('=').map(Number));
const total = backends.reduce((sum, [, weight]) => sum + weight, 0);
const agent = new http.Agent({ keepAlive: true });

/** As exact as a counter makes it: who of the backends is furthest behind its share. */
function createSplit() {
  const sent = backends.map(() => 0);
  let requests = 0;
  return () => {
    requests++;
    let chosen = 0;
    let mostBehind = Number.NEGATIVE_INFINITY;
    for (const [index, [, weight]] of backends.entries()) {
      const behind = (requests * weight) / total - sent[index];
      if (behind > mostBehind) {
        mostBehind = behind;
        chosen = index;
      }
    }
    sent[chosen]++;
    return backends[chosen][0];
  };
}

const splitOfRest = createSplit();
const splits = new Map(Array.from({ length: Number(routes) }, (_, index) => [`r-${index}`, createSplit()]));

const server = http.createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
  const split = splits.get(request.headers['x-route']) ?? splitOfRest;
  const { connection: _, ...headers } = request.headers;
  const seen = headers['x-forwarded-for'];
  headers['x-forwarded-for'] =
    seen === undefined ? request.socket.remoteAddress : `${seen}, ${request.socket.remoteAddress}`;
  const { method, url: path } = request;
  const upstream = http.request({ agent, host: '127.0.0.1', port: split(), method, path, headers }, (answer) => {
    const { connection: _, 'keep-alive': __, ...fields } = answer.headers;
    response.writeHead(answer.statusCode, fields);
    answer.pipe(response);
  });
  upstream.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  request.pipe(upstream);
});
server.listen(Number(port), '127.0.0.1', 4096);
