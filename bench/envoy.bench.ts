/**
 * How soon does an Envoy with 1,000 services use a rule that has changed, and what does that cost on the wire? Beside it what the
 * Envoy takes: memory, and the requests that it carries by the names of services, with the script that spells them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { envoyBootstrap } from '../cli/envoy-bootstrap.ts';
import { type HostPort, parseHostPort } from '../process/host-port.ts';
import { startChild } from './support/child.ts';
import { median, percentile, printTable } from './support/figures.ts';

const counts = (process.env.SLUICE_BENCH_SERVICES ?? '100,1000').split(',').map(Number);
const rounds = Number(process.env.SLUICE_BENCH_ROUNDS ?? 60);
const warmUps = 5;
const modes = (['delta', 'sotw'] as const).filter((mode) => (process.env.SLUICE_BENCH_CLIENTS ?? mode) === mode);
const program = join(import.meta.dirname, 'proxy/.peers/envoy');
const anyPort = { host: '127.0.0.1', port: 0 };

const route = (service: string, subset: string) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service} }
spec: { service: ${service}, rules: [ { backends: [ { subset: v1, weight: ${subset === 'v1' ? 1 : 0} }, { subset: v2, weight: ${subset === 'v2' ? 1 : 0} } ] } ] }
`;

async function measure(services: number, mode: 'delta' | 'sotw'): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const server = await startChild('server', [folder]);
  const api = `http://${server.ready.http}/api/v1`;
  const backends = await Promise.all(['v1', 'v2'].map(startBackend));
  try {
    for (let index = 0; index < services; index++) {
      await Promise.all(backends.map(({ version, port }) => register(api, `service-${index}`, version, port)));
    }
    await apply(api, Array.from({ length: services }, (_, index) => route(`service-${index}`, 'v1')).join('---\n'));
    const envoy = await startEnvoy(folder, addressOf(String(server.ready.grpc)), mode);
    try {
      return { services: String(services), mode, ...(await changeRules(api, envoy, services)) };
    } finally {
      await envoy.end();
    }
  } finally {
    for (const { close } of backends) close();
    await server.end();
    rmSync(folder, { recursive: true });
  }
}

async function changeRules(api: string, envoy: RunningEnvoy, services: number): Promise<Record<string, string>> {
  const keptAlive = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (host: string) => answerOf(envoy.outbound, host, keptAlive);
  const fromApply: number[] = [];
  const fromAnswer: number[] = [];
  const bytes: number[] = [];
  for (let round = -warmUps; round < rounds; round++) {
    const service = `service-${(round + warmUps) % services}`;
    const wanted = (await ask(service)) === 'v1' ? 'v2' : 'v1';
    const before = await envoy.stat('cluster.sluice.upstream_cx_rx_bytes_total');
    const start = performance.now();
    const answered = apply(api, route(service, wanted)).then(() => performance.now());
    while ((await ask(service)) !== wanted);
    const inEffect = performance.now();
    const answer = await answered;
    if (round < 0) continue;
    fromApply.push(inEffect - start);
    fromAnswer.push(inEffect - answer);
    bytes.push((await envoy.stat('cluster.sluice.upstream_cx_rx_bytes_total')) - before);
  }
  keptAlive.destroy();
  return {
    'apply to effect p50': `${median(fromApply).toFixed(1)} ms`,
    p99: `${percentile(fromApply, 99).toFixed(1)} ms`,
    'after the answer p50': `${median(fromAnswer).toFixed(1)} ms`,
    'bytes of a change': String(median(bytes)),
    'Envoy allocated': `${Math.round((await envoy.allocated()) / 1e6)} MB`,
    ...(await load(envoy)),
  };
}

/** Requests a second over eight connections, and the processor time of Envoy for one. */
async function load(envoy: RunningEnvoy): Promise<Record<string, string>> {
  const before = envoy.cpuMs();
  const args = [
    '-t1',
    '-c8',
    '-d4s',
    '-H',
    'Host: Service-7.default:80',
    `http://${envoy.outbound.host}:${envoy.outbound.port}/`,
  ];
  const said = await text(spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout);
  const total = Number(/(\d+) requests in/.exec(said)?.[1] ?? Number.NaN);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1] ?? Number.NaN);
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(said)?.[1];
  return {
    'requests a second': failed ? `${failed} failed` : String(Math.round(perSecond)),
    'Envoy CPU per request': `${(((envoy.cpuMs() - before) / total) * 1_000).toFixed(0)} µs`,
  };
}

interface RunningEnvoy {
  readonly outbound: HostPort;
  stat(name: string): Promise<number>;
  /** Bytes of its heap that are in use. */
  allocated(): Promise<number>;
  cpuMs(): number;
  end(): Promise<void>;
}

async function startEnvoy(folder: string, server: HostPort, mode: 'delta' | 'sotw'): Promise<RunningEnvoy> {
  const [file, adminFile] = [join(folder, 'envoy.json'), join(folder, 'admin')];
  const own = {
    service: 'web',
    id: 'web-1',
    namespace: 'default',
    zone: undefined,
    inbound: undefined,
    services: undefined,
  };
  const bootstrap = envoyBootstrap({ ...own, server, outbound: anyPort, upstreams: {}, admin: anyPort, mode });
  writeFileSync(file, JSON.stringify(bootstrap));
  const args = [
    '-c',
    file,
    '--disable-hot-restart',
    '--concurrency',
    '1',
    '-l',
    'error',
    '--admin-address-path',
    adminFile,
  ];
  const child = spawn(program, args, { stdio: 'inherit' });
  const admin = await until(() => (existsSync(adminFile) ? readFileSync(adminFile, 'utf8') : ''));
  const get = async (path: string) => (await fetch(`http://${admin}${path}`)).text();
  const port = await until(async () => /outbound.*::127\.0\.0\.1:(\d+)/.exec(await get('/listeners'))?.[1] ?? '');
  await until(async () => ((await get('/ready')).startsWith('LIVE') ? 'yes' : ''));
  return {
    outbound: { host: '127.0.0.1', port: Number(port) },
    stat: async (name) => Number((await get(`/stats?filter=^${name}$`)).split(': ')[1]),
    allocated: async () => Number((JSON.parse(await get('/memory')) as { allocated: string }).allocated),
    cpuMs: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    end: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

async function startBackend(version: string) {
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (_request, response) => response.end(version));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { version, port: (server.address() as AddressInfo).port, close };
}

async function register(api: string, service: string, version: string, port: number): Promise<void> {
  const body = JSON.stringify({ address: '127.0.0.1', port, labels: { version }, ttl: '1h' });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${api}/services/${service}/instances/${version}`, { method: 'PUT', headers, body });
  if (!response.ok) throw new Error(await response.text());
  await response.arrayBuffer();
}

const appliers = new http.Agent({ keepAlive: true });

/** By node:http, whose part in what is measured is the smallest. */
async function apply(api: string, body: string): Promise<void> {
  const headers = { 'content-type': 'application/yaml' };
  const [response] = (await once(
    http.request(`${api}/apply`, { method: 'POST', agent: appliers, headers }).end(body),
    'response',
  )) as [http.IncomingMessage];
  const answer = await text(response);
  if (response.statusCode !== 200) throw new Error(answer);
}

function answerOf({ host, port }: HostPort, service: string, agent: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = http.get({ host, port, agent, headers: { host: service } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve(text));
    });
    sent.once('error', reject);
  });
}

function addressOf(text: string): HostPort {
  const address = parseHostPort(text);
  if (!address) throw new Error(`${text} is no address`);
  return address;
}

async function until(find: () => string | Promise<string>): Promise<string> {
  for (;;) {
    const found = await find();
    if (found !== '') return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const rows: Record<string, string>[] = [];
for (const services of counts) for (const mode of modes) rows.push(await measure(services, mode));
printTable('A rule changes for an Envoy that has all services', rows);
