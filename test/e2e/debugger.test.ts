/** SIGUSR1, sent all through the start of real programs: Node's debugger is not open to the machine afterwards. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { expect } from 'chai';
import { Processes, startSluice } from '../support/processes.ts';
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
  const processes = new Processes();
  // Where it would be open, if it were; it does not open it.
  const environment = { NODE_OPTIONS: '--inspect-port=0' };
  const free = '127.0.0.1:0';

  const server = ['server', '--http', free, '--grpc', free];
  const agent = ['agent', '--server', '127.0.0.1:9', '--service', 'web', '--outbound', free, '--admin', free];
  const programs = [
    { name: 'the server', args: server, message: 'serving' },
    { name: 'an agent', args: agent, message: 'listening' },
    { name: 'an agent with --workers 2', args: [...agent, '--workers', '2'], message: 'listening' },
  ];
  let outcomes: { readonly open: readonly number[]; readonly isRunning: boolean }[];

  // At once: most of the time each of them only has to be waited for.
  before(async () => {
    outcomes = await Promise.all(
      programs.map(async ({ name, args, message }) => {
        const folders = { SLUICE_DATA_DIR: processes.makeFolder('data'), HOME: processes.makeFolder(name) };
        const started = startSluice(processes, args, { environment: { ...environment, ...folders } });
        await signalUntil(started, message);
        await sleep(lookedMs);
        return { open: await stillOpen(started), isRunning: started.isRunning };
      }),
    );
  });
  after(() => processes.close());

  for (const [index, { name }] of programs.entries()) {
    it(`neither ends ${name} nor leaves a debugger open`, () => {
      expect(outcomes[index]).to.deep.equal({ open: [], isRunning: true });
    });
  }
});
