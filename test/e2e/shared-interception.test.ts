/** Several applications of one host, each a user of its own, that know nothing of the mesh: packet rules bring each to its own entry of one agent. */
import { expect } from 'chai';
import { type NetworkNamespace, NetworkNamespaces, skipUnlessNamespaces } from '../support/network-namespaces.ts';
import { Processes, programs } from '../support/processes.ts';
import { SharedAgentProcess } from '../support/shared-agent.ts';

const sluice = [process.execPath, programs.sluice];
const users = { web: 2001, shop: 2002, late: 2003, stranger: 2009 } as const;

/** Answers its name, on all addresses. */
const application = (name: string, port: number) => `
import http.server, socket
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    def do_GET(self):
        self.send_response(200)
        self.send_header('content-length', '${name.length}')
        self.end_headers()
        self.wfile.write(b'${name}')
    def log_message(self, *rest): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Server(('::', ${port}), Answer)
print('ready', flush=True)
server.serve_forever()
`;

const rules = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { ports: [ { name: http, port: 9080 } ] }
---
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: shop }
spec: { ports: [ { name: http, port: 80 } ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [ { backends: [ { subset: v1, weight: 90 }, { subset: v2, weight: 10 } ] } ] }
`;

const entries = {
  web: `{ service: web, id: web-1, uid: ${users.web} }`,
  shop: `{ service: shop, id: shop-1, uid: ${users.shop}, app: "127.0.0.1:8080", advertise: 10.79.0.1 }`,
  late: `{ service: late, id: late-1, uid: ${users.late} }`,
};

for (const backend of ['nftables', 'iptables'] as const) {
  describe(`applications of one host that ${backend} bring to their entries of one agent`, function () {
    this.timeout(60_000);
    const processes = new Processes();
    const network = new NetworkNamespaces(processes);
    let host: NetworkNamespace;
    let peer: NetworkNamespace;
    let agent: SharedAgentProcess;

    async function on(place: NetworkNamespace, command: readonly string[], input = ''): Promise<string> {
      const result = await place.run(command, input);
      if (result === undefined || result.code !== 0) throw new Error(`${command.join(' ')}: ${result?.stderr}`);
      return result.stdout;
    }

    /** Of one user of the host: what answered, and how often. */
    async function get(user: keyof typeof users, url: string, times = 1): Promise<Record<string, number>> {
      const id = String(users[user]);
      const asUser = ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups'];
      return answers(await on(host, [...asUser, ...curl(url, times)]));
    }

    const curl = (url: string, times: number) => [
      ...['curl', '--silent', '--show-error', '--max-time', '10', '--globoff', '--write-out', '\\n'],
      ...Array.from({ length: times }, () => url),
    ];

    function answers(printed: string): Record<string, number> {
      const counts: Record<string, number> = {};
      for (const line of printed.trim().split('\n')) counts[line] = (counts[line] ?? 0) + 1;
      return counts;
    }

    /** Requests that each entry has carried, by its listeners. */
    async function carried(): Promise<Record<string, number>> {
      const { entries } = JSON.parse(await on(host, ['curl', '--silent', `http://${agent.admin}/stats`]));
      const counts: Record<string, number> = {};
      for (const [id, stats] of Object.entries<{ traffic: Record<string, { requests: number }> }>(entries)) {
        for (const [listener, { requests }] of Object.entries(stats.traffic)) counts[`${id} ${listener}`] = requests;
      }
      return counts;
    }

    /** What of it came about meanwhile; what stayed as it was is left out. */
    async function carriedBy(what: () => Promise<unknown>): Promise<Record<string, number>> {
      const before = await carried();
      await what();
      const gained = Object.entries(await carried()).map(
        ([name, count]) => [name, count - (before[name] ?? 0)] as const,
      );
      return Object.fromEntries(gained.filter(([, count]) => count > 0));
    }

    before(async function () {
      skipUnlessNamespaces(this, backend === 'nftables' ? 'nft' : 'iptables-restore', 'curl', 'setpriv');
      [host, peer] = [network.add('host'), network.add('peer')];
      network.connect(
        { of: host, addresses: ['10.79.0.1/24', 'fd79::1/64'] },
        { of: peer, addresses: ['10.79.0.2/24', 'fd79::2/64'] },
      );
      // A name server that nobody is at: its questions are the agent's.
      host.resolveBy('10.79.0.2');
      const applications = [
        [peer, 'v1', 12_221],
        [peer, 'v2', 12_222],
        [host, 'shop', 8080],
      ] as const;
      for (const [place, name, port] of applications) {
        const started = processes.start(place.inside(['/usr/bin/python3', '-c', application(name, port)]), { name });
        await started.says(/ready/);
      }
      const flags = ['--grpc', '10.79.0.2:15010', '--data-dir', processes.makeFolder('data')];
      const server = processes.start(peer.inside([...sluice, 'server', ...flags]), { name: 'server' });
      await server.says(/"msg":"serving"/);
      for (const [version, port] of [
        ['v1', 12_221],
        ['v2', 12_222],
      ] as const) {
        const body = JSON.stringify({ address: '10.79.0.2', port, labels: { version }, ttl: '1h' });
        const put = ['curl', '--silent', '--fail', '-X', 'PUT', '-H', 'content-type: application/json', '-d', body];
        await on(peer, [...put, `http://127.0.0.1:7070/api/v1/services/reviews/instances/reviews-${version}`]);
      }
      await on(peer, [...sluice, 'apply', '-f', '-', '--wait=10s'], rules);
      agent = await SharedAgentProcess.start(processes, {
        server: { grpc: '10.79.0.2:15010' },
        entries: [entries.web, entries.shop],
        flags: ['--intercept', backend],
        inside: host,
      });
    });
    after(async () => {
      await processes.close();
      network.close();
    });

    it('have the rules of the service, each as counted by its own', async () => {
      for (const [user, id] of [
        ['web', 'web-1'],
        ['shop', 'shop-1'],
      ] as const) {
        const done = await carriedBy(async () =>
          expect(await get(user, 'http://reviews:9080/', 100)).to.deep.equal({ v1: 90, v2: 10 }),
        );
        expect(done).to.deep.equal({ [`${id} outbound`]: 100 });
      }
    });

    it('leave alone what other users send', async () => {
      const done = await carriedBy(async () =>
        expect(await get('stranger', 'http://10.79.0.2:12222/', 10)).to.deep.equal({ v2: 10 }),
      );
      expect(done).to.deep.equal({});
    });

    for (const { by, url } of [
      { by: 'IPv4', url: 'http://10.79.0.1:8080/' },
      { by: 'IPv6', url: 'http://[fd79::1]:8080/' },
    ]) {
      it(`take what comes for the port of an application over ${by}`, async () => {
        const done = await carriedBy(async () =>
          expect(answers(await on(peer, curl(url, 10)))).to.deep.equal({ shop: 10 }),
        );
        expect(done).to.deep.equal({ 'shop-1 inbound': 10 });
      });
    }

    it('reach each other by both of their entries, by name and by address', async () => {
      const done = await carriedBy(async () => {
        expect(await get('web', 'http://shop/', 10)).to.deep.equal({ shop: 10 });
        expect(await get('web', 'http://10.79.0.1:8080/', 10)).to.deep.equal({ shop: 10 });
        // Itself, too.
        expect(await get('shop', 'http://shop/', 10)).to.deep.equal({ shop: 10 });
      });
      expect(done).to.deep.equal({ 'web-1 outbound': 20, 'shop-1 outbound': 10, 'shop-1 inbound': 30 });
    });

    it('come and go with the rules of their own', async () => {
      await agent.change([entries.web, entries.shop, entries.late]);
      const done = await carriedBy(async () =>
        expect(await get('late', 'http://reviews:9080/', 100)).to.deep.equal({ v1: 90, v2: 10 }),
      );
      expect(done).to.deep.equal({ 'late-1 outbound': 100 });

      await agent.change([entries.web, entries.late]);
      await agent.process.until('end shop-1', () =>
        agent.process.log.find(({ entry, msg }) => entry === 'shop-1' && msg === 'the entry has ended'),
      );
      expect(host.dump()).to.not.match(new RegExp(`\\b(?:${users.shop}|8080)\\b`));
      expect(await carriedBy(() => on(peer, curl('http://10.79.0.1:8080/', 3)))).to.deep.equal({});
      expect(await get('shop', 'http://10.79.0.2:12221/', 3)).to.deep.equal({ v1: 3 });
      expect(await carriedBy(() => get('web', 'http://reviews:9080/', 3))).to.deep.equal({ 'web-1 outbound': 3 });
    });

    it('find everything as it was when the agent has ended', async () => {
      expect((await agent.process.end()).code).to.equal(0);
      expect(host.dump()).to.not.match(/sluice|240\.240|redirect/i);
      expect(await get('web', 'http://10.79.0.2:12221/', 3)).to.deep.equal({ v1: 3 });
    });
  });
}
