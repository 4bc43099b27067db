/**
 * Other people's DNS against ours: dig reads every kind of answer, and dnsmasq is the resolver behind. Installed by
 * `scripts/install-test-packages.sh`.
 */
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type DnsServer, startDnsServer } from '../../agent/dns/dns-server.ts';
import { systemClock } from '../../process/clock.ts';
import type { HostPort } from '../../process/host-port.ts';
import { findFreePorts, Processes } from '../support/processes.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';
import { directory } from '../unit/agent/dns/dns-under-test.ts';

const run = promisify(execFile);

/** CI installs both: there it is a fault. */
function skipUnlessInstalled(context: Mocha.Context, programs: readonly (readonly string[])[]): void {
  const missing = programs
    .filter(([file = '', ...args]) => spawnSync(file, args).error !== undefined)
    .map(([file]) => file);
  if (missing.length === 0) return;
  if (process.env.CI === 'true') throw new Error(`not installed: ${missing.join(', ')}`);
  console.log(`      skipped: ${missing.join(', ')} not installed; scripts/install-test-packages.sh does that`);
  context.skip();
}

interface Ways {
  readonly by: string;
  readonly flags: readonly string[];
  readonly hasOpt: boolean;
}
const ways: readonly Ways[] = [
  { by: 'UDP with EDNS', flags: ['+notcp'], hasOpt: true },
  { by: 'UDP without EDNS', flags: ['+notcp', '+noedns'], hasOpt: false },
  { by: 'TCP with EDNS', flags: ['+tcp'], hasOpt: true },
  { by: 'TCP without EDNS', flags: ['+tcp', '+noedns'], hasOpt: false },
  { by: 'UDP with DO and a cookie', flags: ['+notcp', '+dnssec', '+cookie'], hasOpt: true },
];

const full = 'reviews.default.mesh.local';
const soa = 'mesh.local.\t\t5\tIN\tSOA\tns.mesh.local. hostmaster.mesh.local. 1 3600 600 86400 5';
const rows: readonly { asked: readonly string[]; status?: string; says: readonly string[] }[] = [
  { asked: ['reviews', 'A'], says: ['reviews. 5 IN A 240.240.0.1'] },
  { asked: ['REVIEWS.Default', 'AAAA'], says: ['REVIEWS.Default. 5 IN AAAA fd00::1'] },
  { asked: [full, 'A'], says: [`${full}. 5 IN A 240.240.0.1`] },
  { asked: [full, 'ANY'], says: [`${full}. 5 IN A 240.240.0.1`, `${full}. 5 IN AAAA fd00::1`] },
  { asked: ['com.example.user.UserFacade', 'A'], says: ['com.example.user.UserFacade. 5 IN A 240.240.0.2'] },
  {
    asked: ['details-1.details.default.mesh.local', 'A'],
    says: ['details-1.details.default.mesh.local. 5 IN A 10.0.0.1'],
  },
  {
    asked: [`_http._tcp.${full}`, 'SRV'],
    says: [`_http._tcp.${full}. 5 IN SRV 0 0 80 ${full}.`, `${full}. 5 IN A 240.240.0.1`, `${full}. 5 IN AAAA fd00::1`],
  },
  { asked: ['-x', '240.240.0.1'], says: [`1.0.240.240.in-addr.arpa. 5 IN PTR ${full}.`] },
  { asked: ['-x', 'fd00::1'], says: [`1.${'0.'.repeat(29)}d.f.ip6.arpa. 5 IN PTR ${full}.`] },
  { asked: ['mesh.local', 'SOA'], says: [soa] },
  { asked: ['mesh.local', 'NS'], says: ['mesh.local. 5 IN NS ns.mesh.local.'] },
  { asked: [full, 'MX'], says: [soa] },
  { asked: [full, 'HTTPS'], says: [soa] },
  { asked: ['missing.default.mesh.local', 'A'], status: 'NXDOMAIN', says: [soa] },
  { asked: ['reviews', 'CH', 'TXT'], status: 'REFUSED', says: [] },
  { asked: ['+opcode=NOTIFY', full, 'SOA'], status: 'NOTIMP', says: [] },
];

describe('dig reads', () => {
  let server: DnsServer;

  before(async function () {
    skipUnlessInstalled(this, [['dig', '-v']]);
    server = await startDnsServer(optionsWith([]));
  });
  after(() => server?.close());

  for (const { by, flags, hasOpt } of ways) {
    for (const { asked, status = 'NOERROR', says } of rows) {
      it(`${asked.join(' ')} by ${by}`, async () => {
        const text = await dig(server, [...flags, ...asked]);
        expect({ status: statusOf(text), records: recordsOf(text), faults: faultsOf(text) }).to.deep.equal({
          status,
          records: says.map(squeeze),
          faults: [],
        });
        // An opcode that is not known may change what follows: nothing of it is read.
        if (status !== 'NOTIMP') expect(/EDNS: version: 0, flags:.*; udp: 4096/.test(text)).to.equal(hasOpt);
      });
    }
  }

  it('a long answer that was cut, and asks for the whole over TCP', async () => {
    const [cut, whole] = [await dig(server, ['+noedns', '+ignore', 'many']), await dig(server, ['+noedns', 'many'])];
    expect(flagsOf(cut)).to.include('tc');
    expect(recordsOf(cut).length).to.be.within(20, 32);
    expect(recordsOf(whole)).to.have.length(100);
    expect(whole).to.match(/SERVER: .*\(TCP\)/);
  });

  it('several answers on one connection', async () => {
    const text = await dig(server, [
      '+tcp',
      '+keepopen',
      'reviews',
      'A',
      'ratings.shop',
      'A',
      'missing.mesh.local',
      'A',
    ]);
    expect(recordsOf(text)).to.deep.equal([
      'reviews. 5 IN A 240.240.0.1',
      'ratings.shop. 5 IN A 240.240.0.2',
      squeeze(soa),
    ]);
  });

  it('that a version of EDNS is not spoken', async () => {
    expect(statusOf(await dig(server, ['+edns=7', '+noednsnegotiation', 'reviews']))).to.equal('BADVERS');
  });
});

describe('of a service in hop mode direct', () => {
  let mesh: Mesh;
  let server: Pick<DnsServer, 'addresses'>;

  before(async function () {
    skipUnlessInstalled(this, [['dig', '-v']]);
    mesh = await startMesh();
    const [port] = await findFreePorts(1);
    for (const { id, number } of [
      { id: 'plain-1', number: 9001 },
      { id: 'plain-2', number: 9002 },
      { id: 'Twin-of-2', number: 9002 },
    ]) {
      const instance = JSON.stringify({ address: '127.0.0.1', port: number, ttl: '1h' });
      await mesh.call('PUT', `/services/plain/instances/${id}`, instance);
    }
    const spec = 'hops: direct, ports: [ { name: http, port: 9000 } ]';
    await mesh.apply(`apiVersion: sluice.dev/v1\nkind: Service\nmetadata: { name: plain }\nspec: { ${spec} }`);
    await mesh.startCaller('web', 'web-1', { dns: `127.0.0.1:${port}` });
    server = { addresses: [{ host: '127.0.0.1', port: port ?? 0 }] };
  });
  after(() => mesh?.close());

  it('dig reads from an agent each instance with its own port', async () => {
    const text = await dig(server, ['_http._tcp.plain.default.mesh.local', 'SRV']);
    const record = (id: string, port: number) =>
      `_http._tcp.plain.default.mesh.local. 5 IN SRV 0 0 ${port} ${id}.plain.default.mesh.local.`;
    const address = (id: string) => `${id}.plain.default.mesh.local. 5 IN A 127.0.0.1`;
    expect(recordsOf(text).sort()).to.deep.equal(
      [record('plain-1', 9001), record('twin-of-2', 9002), address('plain-1'), address('twin-of-2')].sort(),
    );
  });

  it('dig reads NXDOMAIN of a port that it does not have', async () => {
    expect(statusOf(await dig(server, ['_grpc._tcp.plain.default.mesh.local', 'SRV']))).to.equal('NXDOMAIN');
  });

  for (const id of ['plain-1', 'plain-2', 'twin-of-2']) {
    it(`dig reads the address of ${id}, also when another is registered at the same place`, async () => {
      expect(recordsOf(await dig(server, [`${id}.plain.default.mesh.local`]))).to.deep.equal([
        `${id}.plain.default.mesh.local. 5 IN A 127.0.0.1`,
      ]);
    });
  }
});

describe('with dnsmasq as the resolver', () => {
  const processes = new Processes();
  let server: DnsServer;
  let upstream: HostPort;

  before(async function () {
    skipUnlessInstalled(this, [
      ['dig', '-v'],
      ['dnsmasq', '--version'],
    ]);
    const [port = 0] = await findFreePorts(1);
    upstream = { host: '127.0.0.1', port };
    const records = [
      '--host-record=www.example.com,192.0.2.1,2001:db8::1',
      '--cname=alias.example.com,www.example.com',
      '--mx-host=example.com,mail.example.com,10',
      '--txt-record=example.com,some,text',
      '--srv-host=_http._tcp.example.com,www.example.com,80',
      '--caa-record=example.com,0,issue,ca.example.net',
      ...Array.from({ length: 60 }, (_, index) => `--txt-record=long.example.com,${'x'.repeat(60)}${index}`),
    ];
    const own = [
      '--keep-in-foreground',
      '--no-daemon',
      '--conf-file=/dev/null',
      '--pid-file=',
      '--no-resolv',
      '--no-hosts',
    ];
    const listen = [`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--local=/example.com/'];
    const dnsmasq = processes.start(['dnsmasq', ...own, ...listen, '--local-ttl=60', '--log-queries', ...records]);
    await dnsmasq.says(/started/);
    server = await startDnsServer(optionsWith([upstream]));
  });
  after(async () => {
    await server?.close();
    await processes.close();
  });

  for (const asked of [
    ['www.example.com', 'A'],
    ['WWW.Example.com', 'AAAA'],
    ['alias.example.com', 'A'],
    ['example.com', 'MX'],
    ['example.com', 'TXT'],
    ['_http._tcp.example.com', 'SRV'],
    ['example.com', 'CAA'],
    ['-x', '192.0.2.1'],
    ['missing.example.com', 'A'],
    ['www.example.com', 'MX'],
    ['long.example.com', 'TXT'],
    ['elsewhere.example.net', 'A'],
  ]) {
    it(`${asked.join(' ')} is what dnsmasq says, twice`, async () => {
      const want = await dig({ addresses: [upstream] }, asked);
      for (const way of ['first', 'from the cache, if it is kept']) {
        const got = await dig(server, asked);
        expect({ way, status: statusOf(got), records: recordsOf(got).sort() }).to.deep.equal({
          way,
          status: statusOf(want),
          records: recordsOf(want).sort(),
        });
      }
    });
  }

  it('names of the mesh are answered here', async () => {
    const before = server.counters.forwarded;
    expect(recordsOf(await dig(server, ['reviews']))).to.deep.equal(['reviews. 5 IN A 240.240.0.1']);
    expect(server.counters.forwarded).to.equal(before);
  });
});

function optionsWith(upstreams: readonly HostPort[]) {
  return {
    listen: [{ host: '127.0.0.1', port: 0 }],
    domain: 'mesh.local',
    namespace: 'default',
    directory,
    upstreams: () => upstreams,
    clock: systemClock,
    randomBytes,
  };
}

async function dig({ addresses: [to] }: Pick<DnsServer, 'addresses'>, args: readonly string[]): Promise<string> {
  const { stdout } = await run('dig', [
    `@${to?.host}`,
    '-p',
    String(to?.port),
    '+tries=1',
    '+time=5',
    '+nocookie',
    ...args,
  ]);
  return stdout;
}

function statusOf(text: string): string | undefined {
  return /status: (\w+)/.exec(text)?.[1];
}

function flagsOf(text: string): string[] {
  return /;; flags: ([^;]*);/.exec(text)?.[1]?.split(' ') ?? [];
}

/** Every record of every section. */
function recordsOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map(squeeze);
}

/**
 * What dig does not like. That .local is a word of multicast DNS it says of every name in it; and of what is not answered
 * but for its header, that it might be without EDNS.
 */
function faultsOf(text: string): string[] {
  const isFault = /WARNING|warning|malformed|mismatch|extra bytes|not one found/;
  return text.split('\n').filter((line) => isFault.test(line) && !/\.local is reserved|status NOTIMP/.test(line));
}

function squeeze(line: string): string {
  return line.replace(/\s+/g, ' ').trim();
}
