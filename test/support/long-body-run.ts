/** The test of long bodies, as long as its caller wants them. */

import type { AddressInfo, Server } from 'node:net';
import { expect } from 'chai';
import { growthDuring, type LongBody, passBody, startLongBodyApp } from './long-bodies.ts';
import { type AgentProcess, Processes, startAgent, startServer } from './processes.ts';

/** More than that would be the body; what sockets and their buffers hold is some hundred KiB for each. */
const mostBytes = 20_000_000;

/** Bodies of so many bytes pass an outbound and an inbound, each in a process of its own, on their way to a slow reader. */
export function describeLongBodies(bytes: number): void {
  const mebibytes = bytes / 2 ** 20;

  describe(`a body of ${mebibytes} MiB on its way to a slow reader`, function () {
    this.timeout(60_000 + mebibytes * 100);
    const processes = new Processes();
    let app: Server;
    let web: AgentProcess;
    let reviews: AgentProcess;

    before(async function () {
      if (process.platform !== 'linux') {
        console.log('      skipped: memory is read from /proc, which is of Linux');
        this.skip();
      }
      app = await startLongBodyApp();
      const server = await startServer(processes);
      const address = `127.0.0.1:${(app.address() as AddressInfo).port}`;
      reviews = await startAgent(processes, { server, args: ['--service', 'reviews', '--app', address] });
      web = await startAgent(processes, { server, args: ['--service', 'web'] });
      // The first requests bring code and buffers into memory that every request needs.
      for (const body of bodiesOf(4 * 2 ** 20)) await passBody(web.outbound, 'reviews', body);
    });
    after(async () => {
      await processes.close();
      app?.close();
    });

    for (const body of bodiesOf(bytes)) {
      it(`${body.direction} with ${body.framing} adds less than 20 MB to the agents that it passes`, async () => {
        const pids = [web.process.pid, reviews.process.pid];
        const grown = await growthDuring(pids, () => passBody(web.outbound, 'reviews', body));
        expect(Math.max(...grown), `they grew by ${grown.join(' and ')} bytes`).to.be.below(mostBytes);
      });
    }
  });
}

function bodiesOf(bytes: number): LongBody[] {
  return [
    { direction: 'down', framing: 'length', bytes },
    { direction: 'up', framing: 'chunks', bytes },
  ];
}
