/**
 * Applications that know nothing of the mesh, on hosts of their own: they dial what their registry or DNS tells them, and
 * packet rules bring them to the agent. Each step of the way from no mesh to two sidecars and back.
 */
import { chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { fencesOf } from '../support/fences.ts';
import type { NetworkNamespace } from '../support/network-namespaces.ts';
import { NetworkNamespaces, skipUnlessNamespaces } from '../support/network-namespaces.ts';
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
import type { TestProcess } from '../support/test-process.ts';

/** The file of the agent that stands beside both instances of a host. */
const guide = readFileSync(new URL('../../docs/migration.md', import.meta.url), 'utf8');
const bothInstances = fencesOf(guide).find(({ info }) => info === 'yaml agent')?.text ?? '';

/** Of applications: not the agent's. */
const uid = 2000;

const rules = (v1: number, v2: number, hops = 'both') => `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { hops: ${hops}, ports: [ { name: http, port: 9080 } ], aliases: [ com.example.ReviewFacade ] }
---
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [ { backends: [ { subset: v1, weight: ${v1} }, { subset: v2, weight: ${v2} } ] } ] }
`;

for (const backend of ['nftables', 'iptables'] as const) {
  describe(`applications that ${backend} bring to their agent`, function () {
    this.timeout(90_000);
    const processes = new Processes();
    const network = new NetworkNamespaces(processes);
    /** Where the caller runs; where the instances and the control plane do. */
    let caller: NetworkNamespace;
    let callee: NetworkNamespace;
    let server: TestProcess;
    let agent: TestProcess;

    /** So many requests of an application of the caller; what answered, and how often. */
    const get = async (url: string, times = 1, flags: readonly string[] = []) =>
      answers(await printed(caller, [...asUser(uid), ...curl(url, times, flags)]));

    const apply = (text: string) => printed(callee, [...sluice, 'apply', '-f', '-', '--wait=10s'], text);

    const startServer = () => startControlPlane(processes, { on: callee, address: '10.78.0.2' });

    async function startAgent(host: NetworkNamespace, flags: readonly string[]): Promise<TestProcess> {
      const state = ['--state-dir', processes.makeFolder(`state-${flags[1]}`)];
      const common = ['--server', '10.78.0.2:15010', '--intercept', backend, ...state];
      const started = processes.start(host.inside([...sluice, 'agent', ...flags, ...common]), { name: 'agent' });
      await started.says(/"msg":"ready/);
      return started;
    }

    before(async function () {
      skipUnlessNamespaces(this, backend === 'nftables' ? 'nft' : 'iptables-restore', 'curl', 'setpriv');
      [caller, callee] = [network.add('caller'), network.add('callee')];
      network.connect(
        { of: caller, addresses: ['10.78.0.1/24', 'fd78::1/64'] },
        { of: callee, addresses: ['10.78.0.2/24', 'fd78::2/64'] },
      );
      // A name server that nobody is at: its questions are the agent's.
      caller.resolveBy('10.78.0.2');
      const applications = [
        { on: callee, name: 'v1', port: 12_221 },
        { on: callee, name: 'v2', port: 12_222 },
        { on: callee, name: 'outside', port: 12_229 },
      ];
      [server] = await Promise.all([
        startServer(),
        ...applications.map((application) => startApplication(processes, application)),
      ]);
      await registerInstance(callee, 'reviews/reviews-v1', { address: '10.78.0.2', port: 12_221, version: 'v1' });
      await registerInstance(callee, 'reviews/reviews-v2', { address: '10.78.0.2', port: 12_222, version: 'v2' });
      await apply(rules(90, 10));
    });
    after(async () => {
      await processes.close();
      network.close();
    });

    it('reach whom they dial without one', async () => {
      expect(await get('http://10.78.0.2:12221/', 10)).to.deep.equal({ v1: 10 });
    });

    describe('with an agent beside the caller', () => {
      before(async () => {
        agent = await startAgent(caller, ['--service', 'web']);
      });

      it('are left to it when another agent wants them', async () => {
        const flags = [
          '--service',
          'other',
          '--id',
          'other-1',
          '--server',
          '10.78.0.2:15010',
          '--admin',
          '127.0.0.1:0',
        ];
        const state = ['--state-dir', processes.makeFolder('state-other'), '--outbound', '127.0.0.1:0'];
        const command = [...sluice, 'agent', ...flags, ...state, '--intercept', backend, '--dns', '127.0.0.1:0'];
        const other = processes.start(caller.inside(command), { name: 'other agent' });
        expect((await other.ended).code).to.equal(1);
        expect(other.stderr + other.stdout).to.match(/are those of another agent \(process \d+\)/);
        // Nobody was told to wait for it.
        const agents = JSON.parse(await printed(callee, ['curl', '--silent', 'http://127.0.0.1:7070/api/v1/agents']));
        expect(agents.items.map(({ id }: { id: string }) => id)).to.not.include('other-1');
      });

      it('get the split of the service by the address of an instance', async () => {
        expect(await get('http://10.78.0.2:12221/', 100, ['--no-keepalive', '-H', 'connection: close'])).to.deep.equal({
          v1: 90,
          v2: 10,
        });
      });

      for (const { by, host } of [
        { by: 'its full name', host: 'reviews.default.mesh.local' },
        { by: 'its name alone', host: 'reviews' },
        { by: 'its name and namespace', host: 'reviews.default' },
        { by: 'an alias', host: 'com.example.ReviewFacade' },
      ]) {
        it(`get it by ${by}, which DNS resolves to the virtual IP`, async () => {
          expect(await get(`http://${host}:9080/`, 100)).to.deep.equal({ v1: 90, v2: 10 });
        });
      }

      it('follow a change of the rules on a connection that is kept', async () => {
        await apply(rules(0, 100));
        expect(await get('http://10.78.0.2:12221/', 10)).to.deep.equal({ v2: 10 });
        await apply(rules(90, 10));
      });

      it('are told the virtual IP, or where the instances are when they dial these themselves', async () => {
        const resolve = ['/usr/bin/python3', '-c', 'import socket; print(socket.gethostbyname("reviews"))'];
        const told = await printed(caller, [...asUser(uid), ...resolve]);
        expect(told).to.match(/^240\.240\.\d+\.\d+\n$/);
        // Which is what operators are told as well.
        expect(await printed(callee, [...sluice, 'get', 'services'])).to.include(told.trim());
        await apply(rules(90, 10, 'direct'));
        expect(await printed(caller, [...asUser(uid), ...resolve])).to.equal('10.78.0.2\n');
        expect(await get('http://10.78.0.2:12221/', 10)).to.deep.equal({ v1: 10 });
        await apply(rules(90, 10));
        expect(await get('http://10.78.0.2:12221/', 100)).to.deep.equal({ v1: 90, v2: 10 });
      });

      it('reach what is not in the mesh, over IPv4 and IPv6', async () => {
        expect(await get('http://10.78.0.2:12229/')).to.deep.equal({ outside: 1 });
        expect(await get('http://[fd78::2]:12229/', 1, ['--globoff'])).to.deep.equal({ outside: 1 });
      });

      it('go on without a control plane, also to what is not in the mesh', async () => {
        server.signal('SIGKILL');
        await server.ended;
        expect(await get('http://10.78.0.2:12221/', 100)).to.deep.equal({ v1: 90, v2: 10 });
        expect(await get('http://10.78.0.2:12229/')).to.deep.equal({ outside: 1 });
        server = await startServer();
      });

      it('are refused while the agent is killed, and served again by the next', async () => {
        agent.signal('SIGKILL');
        await agent.ended;
        const refused = await get('http://10.78.0.2:12229/').catch((error: unknown) => String(error));
        expect(refused).to.match(/Failed to connect|refused/);
        agent = await startAgent(caller, ['--service', 'web']);
        expect(await get('http://10.78.0.2:12229/')).to.deep.equal({ outside: 1 });
      });

      it('reach whom they dial again when it has ended: it leaves no rule and no route', async () => {
        agent.signal('SIGTERM');
        expect((await agent.ended).code).to.equal(0);
        expect(await get('http://10.78.0.2:12221/', 10)).to.deep.equal({ v1: 10 });
        expect(caller.dump()).to.not.match(/sluice|15001|240\.240/);
      });
    });

    it('are started by their agent as another user when the rules are in place, and end with it', async () => {
      const state = ['--state-dir', processes.makeFolder('state-child')];
      const flags = ['--service', 'web', '--server', '10.78.0.2:15010', '--intercept', backend, ...state];
      const application = `for at in 1 2 3 4 5 6 7 8 9 10; do curl --silent http://reviews:9080/; done; id -u; echo $HOME $USER; exit 7`;
      const command = ['--run-as', String(uid), '--', 'sh', '-c', application];
      const started = processes.start(caller.inside([...sluice, 'agent', ...flags, ...command]), { name: 'agent' });
      expect((await started.ended).code).to.equal(7);
      expect(started.stdout).to.match(new RegExp(`^(?=.*v2)(v[12]){10}${uid}\n/ ${uid}\n$`));
      expect(caller.dump()).to.not.match(/sluice|15001|240\.240/);
    });

    it('are brought to an agent of several processes by rules that somebody else has installed', async () => {
      const agentUid = 1337;
      const common = ['--agent-uid', String(agentUid), '--backend', backend];
      await printed(caller, [...sluice, 'intercept', 'install', ...common, '--server', '10.78.0.2:15010']);
      const state = processes.makeFolder('state-external');
      chownSync(state, agentUid, agentUid);
      chmodSync(dirname(state), 0o755);
      const flags = ['--service', 'web', '--server', '10.78.0.2:15010', '--state-dir', state];
      const command = [...asUser(agentUid), ...sluice, 'agent', ...flags, '--intercept', 'external', '--workers', '2'];
      const external = processes.start(caller.inside(command), { name: 'agent' });
      await external.says(/"msg":"ready/);
      expect(await get('http://reviews:9080/', 100)).to.deep.equal({ v1: 90, v2: 10 });
      // Each of the two is exact by itself.
      const shared = await get('http://10.78.0.2:12221/', 100, ['-H', 'connection: close']);
      expect(shared.v1).to.be.within(88, 92);
      expect(await get('http://10.78.0.2:12229/', 2)).to.deep.equal({ outside: 2 });
      external.signal('SIGTERM');
      expect((await external.ended).code).to.equal(0);
      await printed(caller, [...sluice, 'intercept', 'uninstall']);
      expect(caller.dump()).to.not.match(/sluice|15001|240\.240/);
    });

    describe('with one agent beside both instances of a host, by the file of the guide', () => {
      let file: string;
      let beside: TestProcess;

      /** What the inbound of each has carried. */
      const carried = async (): Promise<Record<string, number>> => {
        const { entries } = JSON.parse(await printed(callee, ['curl', '--silent', 'http://127.0.0.1:15000/stats'])) as {
          entries: Record<string, { traffic: { inbound?: { requests: number } } }>;
        };
        return Object.fromEntries(
          Object.entries(entries).map(([id, { traffic }]) => [id, traffic.inbound?.requests ?? 0]),
        );
      };

      before(async () => {
        file = join(processes.folder, 'guide.yaml');
        const text = bothInstances
          .replace('intercept: nftables', `intercept: ${backend}`)
          .replace('/var/lib/sluice', processes.makeFolder('state-guide'));
        writeFileSync(file, text);
        beside = processes.start(callee.inside([...sluice, 'agent', '--config', file]), { name: 'agent' });
        await beside.until('become ready', () =>
          beside.log.find(({ msg, entry }) => entry === undefined && /^ready/.test(String(msg))),
        );
      });

      it('have their requests carried by it, each by its own entry', async () => {
        expect(await get('http://10.78.0.2:12221/', 10)).to.deep.equal({ v1: 10 });
        expect(await get('http://10.78.0.2:12222/', 5)).to.deep.equal({ v2: 5 });
        expect(await carried()).to.deep.equal({ 'reviews-a': 10, 'reviews-b': 5 });
      });

      it('have the split as callers on the same host, by an entry more', async () => {
        const dial = async () =>
          answers(await printed(callee, [...asUser(uid), ...curl('http://10.78.0.2:12221/', 100)]));
        expect(await dial()).to.deep.equal({ v1: 100 });
        writeFileSync(file, `${readFileSync(file, 'utf8')}\n  - { service: web, id: web-2, uid: ${uid} }\n`);
        beside.signal('SIGHUP');
        await beside.until('change its entries', () => beside.log.find(({ msg }) => msg === 'entries have changed'));
        expect(await dial()).to.deep.equal({ v1: 90, v2: 10 });
      });

      it('reach them without it when it has ended', async () => {
        beside.signal('SIGTERM');
        expect((await beside.ended).code).to.equal(0);
        expect(await get('http://10.78.0.2:12222/', 10)).to.deep.equal({ v2: 10 });
        expect(callee.dump()).to.not.match(/sluice|15006|240\.240/);
      });
    });

    describe('with an agent beside an instance', () => {
      let beside: TestProcess;

      /** What the inbound of the instance has carried. */
      const carried = async (): Promise<number> => {
        const stats = JSON.parse(await printed(callee, ['curl', '--silent', 'http://127.0.0.1:15000/stats']));
        return stats.traffic.inbound.requests;
      };

      before(async () => {
        const app = ['--id', 'reviews-a', '--version', 'v1', '--app', '10.78.0.2:12221', '--advertise', '10.78.0.2'];
        beside = await startAgent(callee, ['--service', 'reviews', ...app]);
      });

      it('have their requests carried by it, over IPv4 and IPv6, whatever they know of the mesh', async () => {
        const before = await carried();
        expect(await get('http://10.78.0.2:12221/', 10)).to.deep.equal({ v1: 10 });
        expect(await get('http://[fd78::2]:12221/', 10, ['--globoff'])).to.deep.equal({ v1: 10 });
        expect((await carried()) - before).to.equal(20);
      });

      it('reach other ports of its host as before', async () => {
        const before = await carried();
        expect(await get('http://10.78.0.2:12229/', 3)).to.deep.equal({ outside: 3 });
        // One connection, whatever was said on it.
        expect((await carried()) - before).to.equal(1);
      });

      it('have two hops with an agent of their own, and the split', async () => {
        agent = await startAgent(caller, ['--service', 'web']);
        const before = await carried();
        expect(await get('http://reviews:9080/', 100)).to.deep.equal({ v1: 90, v2: 10 });
        expect((await carried()) - before).to.be.at.least(1);
        agent.signal('SIGTERM');
        await agent.ended;
      });

      it('reach it without the agent when that has ended', async () => {
        beside.signal('SIGTERM');
        expect((await beside.ended).code).to.equal(0);
        expect(await get('http://10.78.0.2:12221/', 10)).to.deep.equal({ v1: 10 });
        expect(callee.dump()).to.not.match(/sluice|15006|240\.240/);
      });
    });
  });
}
