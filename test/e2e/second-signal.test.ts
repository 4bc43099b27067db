/** An agent that is told twice to end, in real processes: it ends at once, and says what that cost. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  type AgentProcess,
  Processes,
  type ServerProcess,
  startAgent,
  startServer,
  useProcesses,
} from '../support/processes.ts';

/** Seen from outside, on a machine that does other things; by itself it takes some 100 ms. */
const atOnceMs = 1_000;

for (const workers of ['1', '2']) {
  describe(`an agent that is told twice to end, with --workers ${workers}`, () => {
    const processes = useProcesses();
    const serverProcesses = new Processes();
    let server: ServerProcess;
    let agents = 0;
    let application: Server;
    let clients: Socket[];
    let agent: AgentProcess;
    let accessLog: string;
    before(async () => {
      server = await startServer(serverProcesses);
    });
    after(() => serverProcesses.close());
    beforeEach(async () => {
      clients = [];
      application = createServer((_request, response) => void response.write('the beginning'));
      application.listen(0, '127.0.0.1');
      await once(application, 'listening');
      const app = `127.0.0.1:${(application.address() as AddressInfo).port}`;
      accessLog = join(processes.folder, 'access.jsonl');
      agent = await startAgent(processes, {
        server,
        args: [
          '--service',
          'shop',
          '--id',
          `shop-${agents++}`,
          '--app',
          app,
          '--workers',
          workers,
          '--access-log',
          accessLog,
          '--',
          'sleep',
          '100',
        ],
      });
    });
    afterEach(() => {
      for (const client of clients) client.destroy();
      application.closeAllConnections();
      application.close();
    });

    async function beginAnswers(count: number): Promise<void> {
      const [host, port] = String(agent.inbound[0]).split(':');
      for (let n = 0; n < count; n++) {
        const client = connect(Number(port), host).on('error', () => {});
        clients.push(client);
        client.write('GET /long HTTP/1.1\r\nHost: shop\r\n\r\n');
        await once(client, 'data');
      }
    }

    function lines(): Record<string, unknown>[] {
      const text = existsSync(accessLog) ? readFileSync(accessLog, 'utf8') : '';
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    }

    it('ends at once with 128+n, and says how many requests it cut off, each with its line', async () => {
      await beginAnswers(4);
      agent.process.signal('SIGTERM');
      await agent.process.logged('drained: no caller sends new requests');
      const beganAt = performance.now();
      agent.process.signal('SIGTERM');
      const ending = await agent.process.ended;
      expect(performance.now() - beganAt).to.be.below(atOnceMs);
      expect(ending).to.deep.equal({ code: 143, signal: null });
      const [last] = agent.process.log.slice(-1);
      expect(last).to.deep.include({
        msg: 'ended at once, by a second signal; requests were cut off',
        code: 143,
        requests: 4,
      });
      expect(lines().map(({ status, reason, detail }) => ({ status, reason, detail }))).to.deep.equal(
        Array.from({ length: 4 }, () => ({ status: 200, reason: 'broken-off', detail: 'the agent has ended' })),
      );
    });

    it('has the exit code of the second signal, though its application is killed first', async () => {
      await agent.process.logged('starting the application');
      await beginAnswers(1);
      agent.process.signal('SIGTERM');
      await agent.process.logged('drained: no caller sends new requests');
      agent.process.signal('SIGINT');
      expect(await agent.process.ended).to.deep.equal({ code: 130, signal: null });
      expect(agent.process.log.at(-1)).to.deep.include({ code: 130, requests: 1 });
    });
  });
}
