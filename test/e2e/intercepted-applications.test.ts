/**
 * Applications that know nothing of the mesh, on hosts of their own: they dial what their registry or DNS tells them, and
 * packet rules bring them to the agent. Each step of the way from no mesh to two sidecars and back.
 */
import { expect } from 'chai';
import type { NetworkNamespace } from '../support/network-namespaces.ts';
import { NetworkNamespaces, skipUnlessNamespaces } from '../support/network-namespaces.ts';
import { Processes, programs } from '../support/processes.ts';
import type { TestProcess } from '../support/test-process.ts';

const sluice = [process.execPath, programs.sluice];
/** Of applications: not the agent's. */
const uid = 2000;
const asApplication = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];

const web = (version: string, port: number) => `
import http.server, socket
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    def do_GET(self):
        body = b'${version}'
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *rest): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Server(('::', ${port}), Answer)
print('ready', flush=True)
server.serve_forever()
`;

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

    const api = 'http://127.0.0.1:7070';

    /** What a command on the host printed. */
    async function on(host: NetworkNamespace, command: readonly string[], input = ''): Promise<string> {
      const result = await host.run(command, input);
      if (result === undefined || result.code !== 0) throw new Error(`${command.join(' ')}: ${result?.stderr}`);
      return result.stdout;
    }

    /** So many requests of an application of the caller, one connection each; what answered, and how often. */
    async function get(url: string, times = 1, flags: readonly string[] = []): Promise<Record<string, number>> {
      const urls = Array.from({ length: times }, () => url);
      const curl = ['curl', '--silent', '--show-error', '--max-time', '10', '--write-out', '\\n', ...flags, ...urls];
      const lines = (await on(caller, [...asApplication, ...curl])).trim().split('\n');
      const counts: Record<string, number> = {};
      for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
      return counts;
    }

    const apply = (text: string) => on(callee, [...sluice, 'apply', '-f', '-', '--wait=10s', '--api', api], text);

    async function startServer(): Promise<TestProcess> {
      const flags = ['--grpc', '10.78.0.2:15010', '--data-dir', processes.makeFolder('data')];
      const server = processes.start(callee.inside([...sluice, 'server', ...flags]), { name: 'server' });
      await server.says(/"msg":"serving"/);
      return server;
    }

    async function startAgent(host: NetworkNamespace, flags: readonly string[]): Promise<TestProcess> {
      const state = ['--state-dir', processes.makeFolder(`state-${flags[1]}`)];
      const common = ['--server', '10.78.0.2:15010', '--intercept', backend, ...state];
      const started = processes.start(host.inside([...sluice, 'agent', ...flags, ...common]), { name: 'agent' });
      await started.says(/"msg":"ready/);
      return started;
    }

    async function register(id: string, version: string, port: number): Promise<void> {
      const body = JSON.stringify({ address: '10.78.0.2', port, labels: { version }, ttl: '1h' });
      const curl = ['curl', '--silent', '--fail', '-X', 'PUT', '-H', 'content-type: application/json', '-d', body];
      await on(callee, [...curl, `${api}/api/v1/services/reviews/instances/${id}`]);
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
      for (const [version, port] of [
        ['v1', 12_221],
        ['v2', 12_222],
        ['outside', 12_229],
      ] as const) {
        const app = processes.start(callee.inside(['/usr/bin/python3', '-c', web(version, port)]), { name: version });
        await app.says(/ready/);
      }
      server = await startServer();
      await register('reviews-v1', 'v1', 12_221);
      await register('reviews-v2', 'v2', 12_222);
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
        const told = await on(caller, [...asApplication, ...resolve]);
        expect(told).to.match(/^240\.240\.\d+\.\d+\n$/);
        // Which is what operators are told as well.
        expect(await on(callee, [...sluice, 'get', 'services', '--api', api])).to.include(told.trim());
        await apply(rules(90, 10, 'direct'));
        expect(await on(caller, [...asApplication, ...resolve])).to.equal('10.78.0.2\n');
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

    describe('with an agent beside an instance', () => {
      let beside: TestProcess;

      /** What the inbound of the instance has carried. */
      const carried = async (): Promise<number> => {
        const stats = JSON.parse(await on(callee, ['curl', '--silent', 'http://127.0.0.1:15000/stats']));
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
