/**
 * Question: how many DNS questions does the agent answer per second, and how soon, beside dnsmasq in the same run? Needs
 * `scripts/install-test-packages.sh bench`. Run with `npm run bench -- dns`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePorts, Processes } from '../test/support/processes.ts';
import { startPinned, takeCores } from './proxy/pinned.ts';
import { latencies, saturate } from './support/dns-load.ts';
import { median, percentile, printTable } from './support/figures.ts';

const rounds = Number(process.env.SLUICE_BENCH_ROUNDS ?? 3);
const seconds = 1.5;
/** What a busy application asks; neither server is near its limit. */
const scheduledPerSecond = 5_000;

const services = Array.from({ length: 100 }, (_, index) => `service-${index}`);
const own = services.map((service) => `${service}.default.mesh.local`);
const missing = services.map((service) => `no-${service}.default.mesh.local`);
/** Names that only the resolver behind both knows. */
const foreign = services.map((service) => `${service}.example.com`);

interface Scenario {
  readonly name: string;
  readonly names: readonly string[];
  readonly isEdns: boolean;
}
const scenarios: readonly Scenario[] = [
  { name: 'names of the mesh', names: own, isEdns: false },
  { name: 'names of the mesh, EDNS', names: own, isEdns: true },
  { name: 'no such name in the mesh', names: missing, isEdns: false },
  { name: 'other names, from the cache', names: foreign, isEdns: false },
];

interface Measured {
  readonly perSecond: number;
  /** Microseconds of CPU time per answer, at saturation. */
  readonly cpu: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
}

interface Peer {
  readonly port: number;
  readonly pid: number;
}

await takeCores();
const processes = new Processes();
try {
  const resolver = await startDnsmasq(['--local=/example.com/', '--local-ttl=3600', ...records(foreign)]);
  const forward = [`--server=127.0.0.1#${resolver.port}`, '--cache-size=1000', '--dns-forward-max=1000'];
  const dnsmasq = await startDnsmasq(['--local=/mesh.local/', ...forward, ...records(own)]);
  const sluice = await startSluice(resolver.port);
  const rows: Record<string, string>[] = [];
  for (const scenario of scenarios) rows.push(await compare(scenario, [sluice, dnsmasq]));
  printTable(`dns: node ${process.version}, ${rounds} rounds of ${seconds} s`, rows);
} finally {
  await processes.close();
}

async function compare({ name, names, isEdns }: Scenario, [sluice, dnsmasq]: readonly [Peer, Peer]) {
  const file = join(processes.folder, 'questions.txt');
  writeFileSync(file, names.map((each) => `${each} A\n`).join(''));
  const measureRound = async ({ port, pid }: Peer): Promise<Measured> => {
    const before = cpuUs(pid);
    const { perSecond, answers, lost } = await saturate(port, file, seconds, isEdns);
    const cpu = (cpuUs(pid) - before) / answers;
    const times = await latencies(port, names, { perSecond: scheduledPerSecond, seconds: 1 });
    return { perSecond, cpu, lost, p50: percentile(times, 50), p99: percentile(times, 99) };
  };
  for (const peer of [sluice, dnsmasq]) await saturate(peer.port, file, 1, isEdns);
  const results: { readonly ours: Measured; readonly theirs: Measured }[] = [];
  for (let round = 0; round < rounds; round++) {
    results.push({ ours: await measureRound(sluice), theirs: await measureRound(dnsmasq) });
  }
  const of = (read: (each: (typeof results)[number]) => number) => median(results.map(read));
  const pair = (read: (each: Measured) => number, digits: number) =>
    `${of(({ ours }) => read(ours)).toFixed(digits)} / ${of(({ theirs }) => read(theirs)).toFixed(digits)}`;
  return {
    questions: name,
    'answers/s, Sluice / dnsmasq': pair(({ perSecond }) => perSecond, 0),
    ratio: of(({ ours, theirs }) => ours.perSecond / theirs.perSecond).toFixed(2),
    'CPU per answer': `${pair(({ cpu }) => cpu, 1)} µs`,
    'ratio of CPU': of(({ ours, theirs }) => ours.cpu / theirs.cpu).toFixed(2),
    [`p50 at ${scheduledPerSecond}/s`]: `${pair(({ p50 }) => p50, 2)} ms`,
    [`p99 at ${scheduledPerSecond}/s`]: `${pair(({ p99 }) => p99, 2)} ms`,
    lost: pair(({ lost }) => lost, 0),
  };
}

function records(names: readonly string[]): string[] {
  return names.map((name, index) => `--host-record=${name},240.240.${index >> 8}.${index & 255}`);
}

async function startDnsmasq(args: readonly string[]): Promise<Peer> {
  const [port = 0] = await findFreePorts(1);
  const plain = ['--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', '--no-resolv', '--no-hosts'];
  const listen = [`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--log-facility=-'];
  const started = startPinned(processes, ['dnsmasq', ...plain, ...listen, ...args], { name: 'dnsmasq' });
  await started.says(/started/);
  return { port, pid: started.pid };
}

async function startSluice(resolver: number): Promise<Peer> {
  const program = join(import.meta.dirname, '../dist/bench/support/dns-server.js');
  const command = [process.execPath, program, services.join(','), `${resolver}`];
  const started = startPinned(processes, command, { name: 'Sluice' });
  const [, port] = await started.says(/port (\d+)/);
  return { port: Number(port), pid: started.pid };
}

/** User and system time of all threads. */
function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // Fields 14 and 15 of proc(5), in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}
