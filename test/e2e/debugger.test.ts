/** SIGUSR1, sent all through the start of real programs: Node's debugger is not open to the machine afterwards. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { expect } from 'chai';
import { startServer, startSluice, useProcesses } from '../support/processes.ts';
import type { TestProcess } from '../support/test-process.ts';

const sigusr1 = 1n << 9n;
const pauseMs = 5;
/** After which programs look once more whether they have to close it. */
const lookedMs = 1_500;

/** Whether it would survive the signal: before that nothing of ours, nor of Node, has begun. */
function survives(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mask = (name: string) => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`);
  return ((mask('SigBlk') | mask('SigIgn') | mask('SigCgt')) & sigusr1) !== 0n;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** From the first moment on, until it logs that it is there. Nothing is sent before the program survives it. */
async function signalUntil(started: TestProcess, message: string): Promise<void> {
  let isThere = false;
  const there = started.logged(message).then(() => {
    isThere = true;
  });
  there.catch(() => {});
  while (!survives(started.pid)) await sleep(0);
  while (!isThere && started.isRunning) {
    started.signal('SIGUSR1');
    await sleep(pauseMs);
  }
  await there;
}

/** The ports on which it has been open, and those of them on which it still is. */
async function stillOpen({ stderr }: TestProcess): Promise<number[]> {
  const ports = [...stderr.matchAll(/Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) =>
    Number(port),
  );
  const open = await Promise.all(ports.map(isOpen));
  return ports.filter((_, index) => open[index]);
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.unref();
  });
}

describe('SIGUSR1 all through the start', () => {
  const processes = useProcesses();
  // Where it would be open, if it were; it does not open it.
  const environment = { NODE_OPTIONS: '--inspect-port=0' };
  const free = '127.0.0.1:0';

  it('neither ends the server nor leaves a debugger open', async () => {
    const args = ['server', '--http', free, '--grpc', free, '--data-dir', processes.makeFolder('data')];
    const server = startSluice(processes, args, { environment });
    await signalUntil(server, 'serving');
    await sleep(lookedMs);
    expect(await stillOpen(server)).to.deep.equal([]);
    expect(server.isRunning).to.equal(true);
  });

  for (const workers of ['1', '2']) {
    it(`neither ends an agent with --workers ${workers} nor leaves a debugger open`, async () => {
      const { grpc } = await startServer(processes);
      const args = ['--server', grpc, '--service', 'web', '--outbound', free, '--admin', free, '--workers', workers];
      const agent = startSluice(processes, ['agent', ...args], { environment });
      await signalUntil(agent, 'listening');
      await sleep(lookedMs);
      expect(await stillOpen(agent)).to.deep.equal([]);
      expect(agent.isRunning).to.equal(true);
    });
  }
});
