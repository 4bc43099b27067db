import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { expect } from 'chai';
import { probeInstance } from '../../../../agent/health-checks/probe.ts';
import type { HttpCheck } from '../../../../agent/resilience/active-health.ts';

const never = new AbortController().signal;

describe('the probe of a health check', () => {
  const servers: Server[] = [];

  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function listen(server: Server): Promise<number> {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  interface Asked {
    readonly port: number;
    readonly http?: HttpCheck;
    readonly identity?: string;
    readonly signal?: AbortSignal;
  }

  const probe = ({ port, http, identity = '', signal = never }: Asked) => {
    const settings = { http, intervalMs: 1, timeoutMs: 1, healthyThreshold: 1, unhealthyThreshold: 1 };
    return probeInstance({ address: '127.0.0.1', port, identity }, settings, signal);
  };
  const http = { host: 'reviews.default', path: '/healthz?deep=1' };

  it('asks for the path, as the service, meaning the instance, over a connection of its own', async () => {
    const asked: unknown[] = [];
    const port = await listen(
      createServer(({ method, url, headers }, response) => {
        const { host, connection } = headers;
        asked.push({ method, url, host, instance: headers['x-sluice-instance'], connection });
        response.end('fine');
      }),
    );
    expect(await probe({ port, http, identity: 'reviews.default/r-1' })).to.equal(true);
    expect(asked).to.deep.equal([
      {
        method: 'GET',
        url: '/healthz?deep=1',
        host: 'reviews.default',
        instance: 'reviews.default/r-1',
        connection: 'close',
      },
    ]);
  });

  const answers = (status: number): RequestListener => {
    return (_request, response) => response.writeHead(status).end();
  };
  const endless: RequestListener = (_request, response) => {
    const write = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384))) {}
    };
    response.on('drain', write);
    write();
  };
  for (const { name, serve, want } of [
    { name: '200 passes', serve: answers(200), want: true },
    { name: '204 passes', serve: answers(204), want: true },
    { name: '302 fails', serve: answers(302), want: false },
    { name: '421, of another instance, fails', serve: answers(421), want: false },
    { name: '503 fails', serve: answers(503), want: false },
    { name: 'an answer that never ends is not read to its end', serve: endless, want: true },
    { name: 'no answer fails', serve: ({ socket }: { socket: { destroy(): void } }) => socket.destroy(), want: false },
  ]) {
    it(name, async () => expect(await probe({ port: await listen(createServer(serve)), http })).to.equal(want));
  }

  it('fails when nobody listens', async () => {
    const port = await listen(createTcpServer());
    const closed = servers.pop();
    closed?.close();
    expect(await probe({ port, http })).to.equal(false);
    expect(await probe({ port })).to.equal(false);
  });

  it('without a request passes when the connection is accepted', async () => {
    expect(await probe({ port: await listen(createTcpServer()) })).to.equal(true);
  });

  it('ends with its signal, and the connection with it', async () => {
    const server = createTcpServer((socket) => socket.resume());
    const port = await listen(server);
    const time = new AbortController();
    const accepted = once(server, 'connection');
    const result = probe({ port, http, signal: time.signal });
    const [socket] = await accepted;
    const gone = once(socket, 'close');
    time.abort();
    expect(await result).to.equal(false);
    await gone;
  });
});
