/** Several applications of one host, each a user of its own, that know nothing of the mesh: packet rules bring each to its own entry of one agent. */
import { expect } from 'chai';
import { type NetworkNamespace, NetworkNamespaces, skipUnlessNamespaces } from '../support/network-namespaces.ts';
import {
  answers,
  asUser,
  curl,
  printed,
  registerInstance,
  sluice,
  startApplication,
  startControlPlane,
} from '../support/plain-applications.ts';
import { Processes } from '../support/processes.ts';
import { SharedAgentProcess } from '../support/shared-agent.ts';

const users = { web: 2001, shop: 2002, late: 2003, stranger: 2009 } as const;

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
  // By its group: each user has one of its own, of the same number.
  late: `{ service: late, id: late-1, gid: ${users.late} }`,
};

for (const backend of ['nftables', 'iptables'] as const) {
  describe(`applications of one host that ${backend} bring to their entries of one agent`, function () {
    this.timeout(60_000);
    const processes = new Processes();
    const network = new NetworkNamespaces(processes);
    let host: NetworkNamespace;
    let peer: NetworkNamespace;
    let agent: SharedAgentProcess;

    /** Of one user of the host: what answered, and how often. */
    async function get(user: keyof typeof users, url: string, times = 1): Promise<Record<string, number>> {
      return answers(await printed(host, [...asUser(users[user]), ...curl(url, times)]));
    }

    async function startAgent(...wanted: readonly string[]): Promise<void> {
      const server = { grpc: '10.79.0.2:15010' };
      const flags = ['--intercept', backend];
      agent = await SharedAgentProcess.start(processes, { server, entries: wanted, flags, inside: host });
    }

    /** Requests that each entry has carried, by its listeners. */
    async function carried(): Promise<Record<string, number>> {
      const { entries } = JSON.parse(await printed(host, ['curl', '--silent', `http://${agent.admin}/stats`]));
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
        { on: peer, name: 'v1', port: 12_221 },
        { on: peer, name: 'v2', port: 12_222 },
        { on: host, name: 'shop', port: 8080 },
      ];
      await Promise.all([
        startControlPlane(processes, { on: peer, address: '10.79.0.2' }),
        ...applications.map((application) => startApplication(processes, application)),
      ]);
      await registerInstance(peer, 'reviews/reviews-v1', { address: '10.79.0.2', port: 12_221, version: 'v1' });
      await registerInstance(peer, 'reviews/reviews-v2', { address: '10.79.0.2', port: 12_222, version: 'v2' });
      await printed(peer, [...sluice, 'apply', '-f', '-', '--wait=10s'], rules);
      await startAgent(entries.web, entries.shop);
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
          expect(answers(await printed(peer, curl(url, 10)))).to.deep.equal({ shop: 10 }),
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
      expect(await carriedBy(() => printed(peer, curl('http://10.79.0.1:8080/', 3)))).to.deep.equal({});
      expect(await get('shop', 'http://10.79.0.2:12221/', 3)).to.deep.equal({ v1: 3 });
      expect(await carriedBy(() => get('web', 'http://reviews:9080/', 3))).to.deep.equal({ 'web-1 outbound': 3 });
    });

    it('are refused while the agent is killed, others are not, and the next one has them again', async () => {
      await agent.process.kill();
      const refused = await get('web', 'http://10.79.0.2:12221/').catch((error: unknown) => String(error));
      expect(refused).to.match(/Failed to connect|refused/);
      expect(await get('stranger', 'http://10.79.0.2:12221/')).to.deep.equal({ v1: 1 });
      await startAgent(entries.web);
      expect(await carriedBy(() => get('web', 'http://reviews:9080/', 3))).to.deep.equal({ 'web-1 outbound': 3 });
      expect(await carriedBy(() => get('late', 'http://10.79.0.2:12221/', 3))).to.deep.equal({});
    });

    it('find everything as it was when the agent has ended', async () => {
      expect((await agent.process.end()).code).to.equal(0);
      expect(host.dump()).to.not.match(/sluice|240\.240|redirect/i);
      expect(await get('web', 'http://10.79.0.2:12221/', 3)).to.deep.equal({ v1: 3 });
    });
  });
}
