/**
 * Question: what does interception cost beside an application that names its agent, per request and per connection, and what do
 * connections pay that only pass through? Two hosts in network namespaces; needs root and
 * `scripts/install-test-packages.sh bench`. Run with `npm run bench -- interception`.
 */
import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NetworkNamespace, NetworkNamespaces } from '../test/support/network-namespaces.ts';
import { Processes, programs } from '../test/support/processes.ts';
import type { TestProcess } from '../test/support/test-process.ts';
import { Cost } from './proxy/cpu.ts';
import { takeCores } from './proxy/pinned.ts';
import { median, printTable } from './support/figures.ts';

const rounds = Number(process.env.SLUICE_BENCH_ROUNDS ?? 5);
const seconds = 2;
const bigBytes = 512 * 1024 * 1024;
const server = '10.79.0.2';
const instancePort = 12_221;
const outsidePort = 12_229;
const haproxyPort = 18_000;
/** Of applications: not the agent's. */
const asApplication = ['setpriv', '--reuid=2000', '--regid=2000', '--clear-groups'];
const sluice = [process.execPath, programs.sluice];
/** The agent, or what takes its place, has this core; all else has the others. */
const onOwnCore = ['taskset', '--cpu-list', '0'];

await takeCores();
const processes = new Processes();
const network = new NetworkNamespaces(processes);
try {
  const [caller, callee] = [network.add('caller'), network.add('callee')];
  network.connect({ of: caller, addresses: ['10.79.0.1/24'] }, { of: callee, addresses: [`${server}/24`] });
  // Thousands of connections a second to one address: their ports are used again at once.
  const reuse = ['net.ipv4.tcp_tw_reuse=1', 'net.netfilter.nf_conntrack_tcp_timeout_time_wait=1'];
  caller.sh(`sysctl -qw net.ipv4.ip_local_port_range='2000 65000' ${reuse.join(' ')}`);
  await startBackend(callee);
  const plane = ['server', '--grpc', `${server}:15010`, '--data-dir', processes.makeFolder('data')];
  await processes.start(callee.inside([...sluice, ...plane]), { name: 'server' }).says(/"msg":"serving"/);
  const body = JSON.stringify({ address: server, port: instancePort, labels: { version: 'v1' }, ttl: '1h' });
  const put = ['curl', '-sf', '-X', 'PUT', '-H', 'content-type: application/json', '-d', body];
  await callee.run([...put, 'http://127.0.0.1:7070/api/v1/services/reviews/instances/reviews-1']);
  // A port of which nobody has said what is spoken on it costs a connection to an instance each time, in case that speaks first.
  const document = `apiVersion: sluice.dev/v1\nkind: Service\nmetadata: { name: reviews }\nspec: { ports: [ { name: http, port: 80 } ] }\n`;
  await callee.run([...sluice, 'apply', '-f', '-', '--api', 'http://127.0.0.1:7070'], document);
  const flags = ['--service', 'web', '--server', `${server}:15010`, '--intercept', 'nftables'];
  const state = ['--state-dir', processes.makeFolder('state')];
  const agent = processes.start(caller.inside([...onOwnCore, ...sluice, 'agent', ...flags, ...state]), {
    name: 'agent',
  });
  await agent.says(/"msg":"ready/);
  const haproxy = await startHaproxy(caller);
  printTable('what a request costs the agent: microseconds of CPU time', [
    await requests(caller, agent, 'kept connections', []),
    await requests(caller, agent, 'a connection for each request', ['-H', 'Connection: close']),
  ]);
  printTable(`${bigBytes / 2 ** 20} MiB that are no business of the mesh`, await passThrough(caller, agent, haproxy));
} finally {
  await processes.close();
  network.close();
}

/** Explicit and intercepted by turns, so that what else the machine does meets both alike. */
async function requests(caller: NetworkNamespace, agent: TestProcess, what: string, flags: readonly string[]) {
  const cost = new Cost([agent]);
  const once = async (url: string, more: readonly string[]): Promise<number> => {
    const before = cost.cpuUs();
    const load = [...asApplication, 'wrk', '-t1', '-c32', `-d${seconds}s`, ...flags, ...more, url];
    const said = (await caller.run(load))?.stdout ?? '';
    const failed = /Socket errors: .*|Non-2xx .*/.exec(said)?.[0];
    if (failed !== undefined) throw new Error(`wrk: ${failed}`);
    return (cost.cpuUs() - before) / Number(/(\d+) requests in/.exec(said)?.[1]);
  };
  const explicit: number[] = [];
  const intercepted: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair = [
      await once('http://127.0.0.1:15001/', ['-H', 'Host: reviews']),
      await once(`http://${server}:${instancePort}/`, []),
    ];
    if (round === 0) continue;
    explicit.push(pair[0] ?? Number.NaN);
    intercepted.push(pair[1] ?? Number.NaN);
  }
  const ratio = median(intercepted.map((value, index) => value / (explicit[index] ?? Number.NaN)));
  return {
    what,
    explicit: `${median(explicit).toFixed(1)} µs`,
    intercepted: `${median(intercepted).toFixed(1)} µs`,
    ratio: ratio.toFixed(2),
  };
}

async function passThrough(caller: NetworkNamespace, agent: TestProcess, haproxy: TestProcess) {
  const ways = [
    { way: 'directly', as: [], url: `http://${server}:${outsidePort}/big`, of: undefined },
    { way: 'through the agent', as: asApplication, url: `http://${server}:${outsidePort}/big`, of: agent },
    { way: 'through HAProxy, mode tcp', as: [], url: `http://127.0.0.1:${haproxyPort}/big`, of: haproxy },
  ];
  const measured = ways.map((way) => ({ ...way, rates: [] as number[], cpuMs: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { as, url, of, rates, cpuMs } of measured) {
      const cost = new Cost(of === undefined ? [] : [of]);
      const before = cost.cpuUs();
      const curl = [...as, 'curl', '-s', '-o', '/dev/null', '-w', '%{size_download} %{time_total}', url];
      const [bytes = 0, time = 0] = ((await caller.run(curl))?.stdout ?? '').split(' ').map(Number);
      if (bytes !== bigBytes) throw new Error(`${url}: ${bytes} bytes`);
      rates.push(bytes / time / 2 ** 20);
      cpuMs.push((cost.cpuUs() - before) / 1_000);
    }
  }
  const [, own] = measured;
  return measured.map(({ way, of, rates, cpuMs }) => ({
    way,
    'MiB per second': median(rates).toFixed(0),
    'CPU time': of === undefined ? '' : `${median(cpuMs).toFixed(0)} ms`,
    'agent to it': (median(own?.rates ?? []) / median(rates)).toFixed(2),
  }));
}

async function startBackend(callee: NetworkNamespace): Promise<void> {
  const folder = processes.makeFolder('nginx');
  const big = openSync(join(folder, 'big'), 'w');
  ftruncateSync(big, bigBytes);
  closeSync(big);
  const listen = [instancePort, outsidePort].map((port) => `listen ${port} backlog=4096;`).join(' ');
  const text = `daemon off; user root; pid ${folder}/pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; client_body_temp_path ${folder};
  server { ${listen} root ${folder}; location = / { return 200 "${'x'.repeat(100)}"; } }
}
`;
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, text);
  processes.start(callee.inside(['nginx', '-p', folder, '-c', file]), { name: 'nginx' });
  await untilAnswering(callee, `http://127.0.0.1:${instancePort}/`);
}

async function startHaproxy(caller: NetworkNamespace): Promise<TestProcess> {
  const file = join(processes.makeFolder('haproxy'), 'haproxy.cfg');
  const text = `global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen in
  bind 127.0.0.1:${haproxyPort}
  server outside ${server}:${outsidePort}
`;
  writeFileSync(file, text);
  const started = processes.start(caller.inside([...onOwnCore, 'haproxy', '-db', '-f', file]), { name: 'haproxy' });
  await untilAnswering(caller, `http://127.0.0.1:${haproxyPort}/`);
  return started;
}

async function untilAnswering(host: NetworkNamespace, url: string): Promise<void> {
  const asked = await host.run([
    'curl',
    '-sf',
    '--retry',
    '50',
    '--retry-connrefused',
    '--retry-delay',
    '1',
    '-o',
    '/dev/null',
    url,
  ]);
  if (asked?.code !== 0) throw new Error(`${url} does not answer: ${asked?.stderr}`);
}
