/**
 * Hosts of a test's own: network namespaces, with cables between them. Needs root, and the Debian packages of
 * `scripts/install-test-packages.sh`.
 *
 *     const network = new NetworkNamespaces(processes);
 *     const [host, peer] = [network.add('host'), network.add('peer')];
 *     network.connect({ of: host, addresses: ['10.77.0.1/24'] }, { of: peer, addresses: ['10.77.0.2/24'] });
 *     await peer.serve('peer', ['tcp/80']);
 *     expect(await host.dial({ to: '10.77.0.2', port: 80 })).to.equal('peer:80');
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunProgram, runProgram } from '../../process/run-program.ts';
import { type Processes, top } from './processes.ts';
import type { TestProcess } from './test-process.ts';

/** One connection or datagram, of a program that knows nothing of Sluice. User and group are nobody's unless given. */
export interface Dialled {
  readonly to: string;
  readonly port: number;
  readonly protocol?: 'tcp' | 'udp';
  readonly uid?: number;
  readonly gid?: number;
  /** A cgroup v2, by its path below the root. */
  readonly cgroup?: string;
  /** The caller's own address. */
  readonly source?: string;
  /** The caller's own port. */
  readonly from?: number;
}

export interface HeldConnections {
  /** What each was answered now, or the name of its error. */
  ask(): Promise<string[]>;
  /** Closes them. */
  end(): Promise<void>;
}

const cgroups = '/sys/fs/cgroup';
const probe = join(top, 'test/support/network/probe.py');
const holder = join(top, 'test/support/network/held.py');
// By its path: a version manager's python3 in root's home is nothing for other users.
const python = '/usr/bin/python3';

export class NetworkNamespace {
  readonly name: string;
  readonly #processes: Processes;

  constructor(name: string, processes: Processes) {
    this.name = name;
    this.#processes = processes;
  }

  /** A command line that runs `command` in here. */
  inside(command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...command];
  }

  /** Runs programs in here, for code that takes what it runs programs by. */
  readonly run: RunProgram = async (command, input) => {
    if (!isInstalled(command[0] ?? '')) return undefined;
    return runProgram(this.inside(command), input);
  };

  /** The same where cgroup v2 is mounted at its place: `ip netns exec` mounts a /sys that has none. */
  readonly runWithCgroups: RunProgram = async (command, input) => {
    if (!isInstalled(command[0] ?? '')) return undefined;
    const mounted = ['sh', '-ec', `mount -t cgroup2 none ${cgroups}; exec "$@"`, 'sh', ...command];
    return runProgram(this.inside(mounted), input);
  };

  /** What it printed; throws when it fails. */
  sh(script: string): string {
    return run(this.inside(['sh', '-ec', script]));
  }

  /** Programs that start from now on resolve names there. */
  resolveBy(nameServer: string): void {
    mkdirSync(this.#files, { recursive: true });
    writeFileSync(join(this.#files, 'resolv.conf'), `nameserver ${nameServer}\n`);
  }

  /** Of no use any more. Processes in it have to be ended by whoever has started them. */
  delete(): void {
    spawnSync('ip', ['netns', 'delete', this.name]);
    rmSync(this.#files, { recursive: true, force: true });
  }

  /** Where `ip netns exec` takes files of /etc from, as ip-netns(8) has it. */
  get #files(): string {
    return join('/etc/netns', this.name);
  }

  /** Answers there with its name; resolves when it listens. Ends with the processes. */
  async serve(name: string, places: readonly string[]): Promise<TestProcess> {
    const started = this.#processes.start(this.inside([python, probe, 'serve', name, ...places]));
    await started.says(/ready/);
    return started;
  }

  /** Who answered, and for which address it was meant; or the name of the error. */
  async dial(dialled: Dialled): Promise<string> {
    const [answer = ''] = await this.dialAll([dialled]);
    return answer;
  }

  /** One after the other, by one process. */
  async dialAll(all: readonly Dialled[]): Promise<string[]> {
    const wishes = all.map(({ cgroup, ...others }) => ({
      protocol: 'tcp',
      ...others,
      ...(cgroup !== undefined && { cgroup: join(cgroups, cgroup) }),
    }));
    const run = all.some(({ cgroup }) => cgroup !== undefined) ? this.runWithCgroups : this.run;
    const result = await run([python, probe, 'dial'], JSON.stringify(wishes));
    if (result?.code !== 0) throw new Error(`probe.py: ${result?.stderr}`);
    const answers: string[] = JSON.parse(result.stdout);
    return answers;
  }

  /** Connections that an application keeps open, to servers of the protocol `kept`. It ends with the processes. */
  async hold(all: readonly Pick<Dialled, 'to' | 'port' | 'uid' | 'source'>[]): Promise<HeldConnections> {
    const started = this.#processes.start(this.inside([python, holder]));
    started.write(`${JSON.stringify(all)}\n`);
    await started.says(/^held\n/);
    return {
      async ask() {
        const before = started.stdout.length;
        started.write('\n');
        const line = await started.until('answer', () => /^(\[.*)\n/.exec(started.stdout.slice(before))?.[1]);
        const answers: string[] = JSON.parse(line);
        return answers;
      },
      end: async () => void (await started.end()),
    };
  }

  /** Everything that packet rules and routes are here. Counters and dates are left out. */
  dump(): string {
    const tables = [
      'nft list ruleset',
      'iptables-save',
      'ip6tables-save',
      'iptables-legacy-save',
      'ip6tables-legacy-save',
    ];
    const routes = ['ip -4 route show table all', 'ip -6 route show table all', 'ip rule'];
    return [...tables, ...routes]
      .map((command) => `$ ${command}\n${this.sh(command)}`)
      .join('')
      .replace(/^# (?:Generated|Completed|Table|Warning).*\n/gm, '')
      .replace(/\[\d+:\d+\]|counter packets \d+ bytes \d+/g, '');
  }
}

export class NetworkNamespaces {
  readonly #all: NetworkNamespace[] = [];
  readonly #processes: Processes;

  constructor(processes: Processes) {
    this.#processes = processes;
    // The last resort, when the tests end before `close`.
    process.once('exit', this.close);
  }

  add(name: string): NetworkNamespace {
    const added = new NetworkNamespace(`sluice-${process.pid}-${name}-${this.#all.length}`, this.#processes);
    run(['ip', 'netns', 'add', added.name]);
    this.#all.push(added);
    added.sh('ip link set lo up');
    return added;
  }

  /** A cable between two hosts; addresses as `10.77.0.1/24`. */
  connect(...ends: readonly [End, End]): void {
    const [left, right] = ends.map(({ of }, at) => ({ of, device: `eth${at}` }));
    if (left === undefined || right === undefined) return;
    const peer = ['peer', 'name', right.device, 'netns', right.of.name];
    run(['ip', 'link', 'add', left.device, 'netns', left.of.name, 'type', 'veth', ...peer]);
    for (const [at, { of, addresses }] of ends.entries()) {
      // No duplicate can be on a cable of our own: IPv6 need not look for one.
      const adds = addresses.map((each) => `ip address add ${each} dev eth${at} ${each.includes(':') ? 'nodad' : ''}`);
      of.sh([...adds, `ip link set eth${at} up`].join('\n'));
    }
  }

  /** Processes in them have to be ended by whoever has started them. */
  readonly close = (): void => {
    process.off('exit', this.close);
    for (const namespace of this.#all.splice(0)) namespace.delete();
  };
}

interface End {
  readonly of: NetworkNamespace;
  readonly addresses: readonly string[];
}

/** Places for `serve` as an agent listens: connections of its host are redirected there. */
export function onLoopback(...places: readonly string[]): string[] {
  return places.flatMap((place) => [`${place}@127.0.0.1`, `${place}@::1`]);
}

/** Says why tests are left out. The gate runs as root and installs what Debian has: there it is a fault. */
export function skipUnlessNamespaces(test: Mocha.Context, ...tools: readonly string[]): void {
  const missing = ['ip', python, ...tools].filter((tool) => !isInstalled(tool));
  const said = missing.length > 0 ? `${missing.join(', ')}: not installed` : whyNoNamespace();
  if (said === undefined) return;
  if (process.env.CI === 'true' && missing.length > 0) throw new Error(`${said}; see scripts/install-test-packages.sh`);
  console.log(`      skipped: ${said}`);
  test.skip();
}

function whyNoNamespace(): string | undefined {
  const name = `sluice-${process.pid}-try`;
  const { status, stderr } = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  spawnSync('ip', ['netns', 'delete', name]);
  return status === 0 ? undefined : `no network namespace can be made: ${stderr.trim()}`;
}

export function isInstalled(tool: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', tool]).status === 0;
}

function run([file = '', ...args]: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}
