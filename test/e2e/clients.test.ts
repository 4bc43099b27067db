/**
 * Clients that people use, each through an agent beside it and one before the application: what the application gets, and
 * what they make of the answer. Those that are not installed are left out, and the report says so.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type AgentProcess, Processes, startAgent, startServer, top } from '../support/processes.ts';
import type { Ending } from '../support/test-process.ts';

/** What the application says of a request. */
interface Echo {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly bytes: number;
  readonly framing: string;
  readonly trailer?: string;
}

const big = Buffer.alloc(20_000_000, 'The quick brown fox jumps over the lazy dog. ');

/** Tells what it was asked. Some paths are answered in another way. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) bytes += part.length;
  const { method = '', url = '', headers, trailers } = request;
  const length = headers['content-length'];
  const echo: Echo = {
    method,
    url,
    host: headers.host ?? '',
    bytes,
    framing: headers['transfer-encoding'] ?? (length === undefined ? 'none' : `length ${length}`),
    ...(trailers['x-sum'] !== undefined && { trailer: trailers['x-sum'] }),
  };
  const body = JSON.stringify(echo);
  if (url === '/big') return void response.setHeader('content-length', big.length).end(big);
  if (url === '/hints') response.writeEarlyHints({ link: '</style.css>; rel=preload' });
  if (url === '/trailers') {
    response.writeHead(200, { trailer: 'X-Sum' });
    response.write(body);
    response.addTrailers({ 'X-Sum': '42' });
    return void response.end();
  }
  if (url === '/chunked') {
    for (const part of body.match(/.{1,10}/g) ?? []) response.write(part);
    return void response.end();
  }
  response.setHeader('content-length', Buffer.byteLength(body)).end(method === 'HEAD' ? undefined : body);
}

/** Says why a test is left out. The gate installs what Debian has: there it is a fault. */
function skipUnlessInstalled(test: Mocha.Context, program: string, ...args: readonly string[]): void {
  if (isInstalled(program, ...args)) return;
  if (process.env.CI === 'true' && program !== 'go') throw new Error(`${program} is not installed`);
  console.log(`      skipped: ${program} is not installed`);
  test.skip();
}

function isInstalled(program: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch (error) {
    // It may be there and not like the argument, as wrk.
    return error instanceof Error && 'status' in error && error.status !== null;
  }
}

describe('through two agents', function () {
  this.timeout(60_000);
  const processes = new Processes();
  let application: Server;
  let web: AgentProcess;
  /** A port for `reviews` alone. */
  let local: string;

  before(async () => {
    application = createServer((request, response) => void answer(request, response));
    application.listen(0, '127.0.0.1');
    await once(application, 'listening');
    const app = `127.0.0.1:${(application.address() as AddressInfo).port}`;
    const server = await startServer(processes);
    await startAgent(processes, { server, args: ['--service', 'reviews', '--id', 'reviews-1', '--app', app] });
    const args = ['--service', 'web', '--id', 'web-1', '--upstream', 'reviews=127.0.0.1:0'];
    web = await startAgent(processes, { server, args });
    local = web.upstreams[0]?.split('=')[1] ?? '';
  });
  after(async () => {
    await processes.close();
    application.close();
    application.closeAllConnections();
  });

  interface Said extends Ending {
    readonly out: string;
    readonly errors: string;
  }

  async function run(
    command: readonly string[],
    options: { input?: string; environment?: Record<string, string> } = {},
  ) {
    const started = processes.start(command, { input: '', ...options });
    const ending = await started.ended;
    const said: Said = { ...ending, out: started.stdout, errors: started.stderr };
    expect(said.code, said.errors).to.equal(0);
    return said;
  }

  function echo(more: Partial<Echo>): Echo {
    return { method: 'GET', url: '/', host: 'reviews', bytes: 0, framing: 'none', ...more };
  }

  describe('curl', () => {
    before(function () {
      skipUnlessInstalled(this, 'curl', '--version');
    });

    const curl = (...args: readonly string[]) => run(['curl', '--silent', '--show-error', '--max-time', '30', ...args]);
    const hosted = ['--header', 'Host: reviews'];
    const at = (path: string) => `http://${web.outbound}${path}`;
    const bigFile = () => join(processes.folder, 'big');

    it('gets', async () => {
      const { out } = await curl(...hosted, at('/a?b=c'));
      expect(JSON.parse(out)).to.deep.equal(echo({ url: '/a?b=c' }));
    });

    it('gets what comes in chunks, or is long', async () => {
      expect(JSON.parse((await curl(...hosted, at('/chunked'))).out)).to.deep.equal(echo({ url: '/chunked' }));
      await curl(...hosted, '--output', bigFile(), at('/big'));
      expect(sha256(readFileSync(bigFile()))).to.equal(sha256(big));
    });

    it('asks for the head alone', async () => {
      const { out } = await curl(...hosted, '--head', at('/'));
      expect(out)
        .to.match(/^HTTP\/1.1 200 OK\r\n/)
        .and.match(/^content-length: \d+\r$/im);
    });

    it('keeps its connection', async () => {
      const { errors } = await curl(...hosted, '--verbose', at('/'), at('/chunked'), '--head', at('/'), at('/'));
      expect(errors.match(/Re-using existing connection/g)).to.have.length(3);
    });

    it('sends a body that it waits with until it is wanted', async () => {
      await curl(...hosted, '--output', bigFile(), at('/big'));
      const args = ['--verbose', '--header', 'Expect: 100-continue', '--data-binary', `@${bigFile()}`];
      const { out, errors } = await curl(...hosted, ...args, at('/'));
      expect(errors).to.include('< HTTP/1.1 100 Continue');
      const framing = `length ${big.length}`;
      expect(JSON.parse(out)).to.deep.equal(echo({ method: 'POST', bytes: big.length, framing }));
    });

    it('sends a body in chunks', async () => {
      const input = 'x'.repeat(3_000_000);
      const command = ['curl', '--silent', '--show-error', ...hosted, '--upload-file', '-', at('/up')];
      const { out } = await run(command, { input });
      const want = echo({ method: 'PUT', url: '/up', bytes: input.length, framing: 'chunked' });
      expect(JSON.parse(out)).to.deep.equal(want);
    });

    it('speaks HTTP/1.0', async () => {
      for (const path of ['/', '/chunked']) {
        const { out } = await curl(...hosted, '--http1.0', at(path));
        expect(JSON.parse(out)).to.deep.equal(echo({ url: path }));
      }
    });

    it('takes the agent for a proxy', async () => {
      const { out } = await curl('--proxy', `http://${web.outbound}`, 'http://reviews/a?b');
      expect(JSON.parse(out)).to.deep.equal(echo({ url: '/a?b' }));
    });

    it('tunnels through it as a proxy', async () => {
      const proxy = ['--proxytunnel', '--proxy', `http://${web.outbound}`];
      const { out } = await curl(...proxy, 'http://reviews/', 'http://reviews/');
      expect(out.match(/"host":"reviews"/g)).to.have.length(2);
    });
  });

  describe('fetch of Node', () => {
    it('gets, sends, streams and keeps its connections', async () => {
      const ask = async (path: string, options: RequestInit = {}) => {
        const { host: _, ...seen } = (await (await fetch(`http://${local}${path}`, options)).json()) as Echo;
        return seen;
      };
      const { host: _, ...got } = echo({});
      expect(await ask('/a?b')).to.deep.equal({ ...got, url: '/a?b' });
      expect(await ask('/chunked')).to.deep.equal({ ...got, url: '/chunked' });
      const body = 'x'.repeat(1_000_000);
      const posted = { ...got, method: 'POST', bytes: body.length };
      expect(await ask('/', { method: 'POST', body })).to.deep.equal({ ...posted, framing: 'length 1000000' });
      const stream = new Blob([body]).stream();
      // `duplex` is asked for by fetch, and not yet in its types.
      const streamed: RequestInit & { duplex: 'half' } = { method: 'POST', body: stream, duplex: 'half' };
      expect(await ask('/', streamed)).to.deep.equal({ ...posted, framing: 'chunked' });
      expect(await ask('/hints')).to.deep.equal({ ...got, url: '/hints' });
      const long = await (await fetch(`http://${local}/big`)).arrayBuffer();
      expect(sha256(Buffer.from(long))).to.equal(sha256(big));
    });

    it('asks many things at once', async () => {
      const paths = Array.from({ length: 200 }, (_, n) => `/${n}`);
      const urls = await Promise.all(
        paths.map(async (path) => ((await (await fetch(`http://${local}${path}`)).json()) as Echo).url),
      );
      expect(urls).to.deep.equal(paths);
    });
  });

  it('http.client of Python gets, sends, streams and keeps its connection', async function () {
    skipUnlessInstalled(this, 'python3', '--version');
    const { out } = await run(['python3', join(top, 'test/support/clients/client.py'), web.outbound]);
    const million = { method: 'POST', bytes: 1_000_000 };
    expect(JSON.parse(out)).to.deep.equal({
      get: { status: 200, body: echo({ url: '/a?b=c' }) },
      post: { status: 200, body: echo({ ...million, framing: 'length 1000000' }) },
      chunked: { status: 200, body: echo({ ...million, framing: 'chunked' }) },
      head: String(JSON.stringify(echo({ method: 'HEAD' })).length),
      'answered in chunks': { status: 200, body: echo({ url: '/chunked' }) },
      connections: 1,
    });
  });

  it('net/http of Go gets, sends, streams and keeps its connection', async function () {
    skipUnlessInstalled(this, 'go', 'version');
    this.timeout(300_000);
    // The home of the tests is new each time; what was compiled once need not be again.
    const environment = { GOCACHE: join(tmpdir(), 'sluice-test-go-cache'), GOFLAGS: '', GOTOOLCHAIN: 'local' };
    const command = ['go', 'run', join(top, 'test/support/clients/client.go'), web.outbound];
    const { out } = await run(command, { environment });
    const million = { bytes: 1_000_000, framing: 'length 1000000' };
    expect(JSON.parse(out)).to.deep.equal({
      get: { Status: 200, Body: echo({ url: '/a?b=c' }) },
      post: { Status: 200, Body: echo({ method: 'POST', ...million }) },
      'chunked with a trailer': {
        Status: 200,
        Body: echo({ method: 'POST', bytes: 1_000_000, framing: 'chunked', trailer: '7' }),
      },
      expecting: { Status: 200, Body: echo({ method: 'PUT', ...million }) },
      'answered with a trailer': { Status: 200, Body: echo({ url: '/trailers' }), Trailer: '42' },
      'answered behind hints': { Status: 200, Body: echo({ url: '/hints' }) },
      connections: 1,
      continues: 1,
      hints: 1,
    });
  });

  describe('wrk', () => {
    before(function () {
      skipUnlessInstalled(this, 'wrk', '--version');
    });

    for (const { what, args } of [
      { what: 'asks as fast as it can', args: [] },
      { what: 'asks 16 things at a time', args: ['--script', join(top, 'test/support/clients/pipelined.lua')] },
    ]) {
      it(`${what}, and every answer is one`, async () => {
        const load = ['--threads', '1', '--connections', '16', '--duration', '2s', '--header', 'Host: reviews'];
        const { out } = await run(['wrk', ...load, ...args, `http://${web.outbound}/`]);
        expect(out).to.not.match(/Socket errors|Non-2xx/);
        expect(Number(/(\d+) requests in/.exec(out)?.[1])).to.be.above(100);
      });
    }
  });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
