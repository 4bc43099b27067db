import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startChild } from '../../../process/child.ts';
import { systemClock } from '../../../process/clock.ts';

const node = (program: string) => [process.execPath, '-e', program];

describe('a child process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-child-'));
  let files = 0;
  beforeEach(() => {
    files += 1;
  });
  after(() => rmSync(folder, { recursive: true }));
  /** One for each test. */
  const file = () => join(folder, String(files));
  const plainFile = () => {
    writeFileSync(file(), 'no program', { mode: 0o644 });
    return file();
  };

  for (const { name, command, want } of [
    { name: 'ends with its exit code', command: node('process.exit(7)'), want: 7 },
    { name: 'ends with 128+n by signal n', command: node('process.kill(process.pid, "SIGKILL")'), want: 137 },
    { name: 'that there is not ends with 127', command: ['no-such-command-anywhere'], want: 127 },
    { name: 'that cannot be run ends with 126', command: [import.meta.dirname], want: 126 },
  ]) {
    it(name, async () => expect(await startChild(command).ended).to.equal(want));
  }

  it('gets the signals it is sent, and none when it has ended', async () => {
    const child = startChild(node('setInterval(() => {}, 1000)'));
    child.signal('SIGTERM');
    expect(await child.ended).to.equal(143);
    child.signal('SIGTERM');
  });

  for (const { name, file, want } of [
    {
      name: 'that there is not',
      file: () => 'no-such-command-anywhere',
      want: /^there is no such command \(ENOENT\)$/,
    },
    { name: 'that may not be executed', file: () => plainFile(), want: /^it may not be executed \(EACCES\)$/ },
  ]) {
    it(`${name} says so in words`, async () => {
      const faults: string[] = [];
      await startChild([file()], { onFault: (sentence) => faults.push(sentence) }).ended;
      expect(faults).to.have.length(1);
      expect(faults[0]).to.match(want);
    });
  }

  describe('behind a shell', () => {
    /** Writes its process id to a file, then lives until it is ended. */
    const grandchild = (program: string) =>
      `${quoted(process.execPath)} -e ${quoted(`${said}; ${program}`)} ${quoted(file())}`;
    const said = 'require("fs").writeFileSync(process.argv[1], String(process.pid))';

    it('is ended with what the shell started, and waited for', async () => {
      const child = startChild([
        'sh',
        '-c',
        `${grandchild('process.on("SIGTERM", () => setTimeout(() => process.exit(), 200)); setInterval(() => {}, 1000)')}; true`,
      ]);
      const pid = await pidIn(file());
      expect(await child.end('SIGTERM', { clock: systemClock, graceMs: 10_000 })).to.equal(143);
      expect(isAlive(pid)).to.equal(false);
    });

    it('that ends by itself takes along what it left behind', async () => {
      const child = startChild([
        'sh',
        '-c',
        `${grandchild('setInterval(() => {}, 1000)')} & while [ ! -s ${quoted(file())} ]; do sleep 0.01; done; exit 3`,
      ]);
      const pid = await pidIn(file());
      await child.ended;
      expect(await child.end('SIGTERM', { clock: systemClock, graceMs: 10_000 })).to.equal(3);
      expect(isAlive(pid)).to.equal(false);
    });

    it('is made to end, with what the shell started, when it does not end when asked', async () => {
      const child = startChild([
        'sh',
        '-c',
        `trap '' TERM; ${grandchild('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)')}; true`,
      ]);
      const pid = await pidIn(file());
      expect(await child.end('SIGTERM', { clock: systemClock, graceMs: 100 })).to.equal(137);
      await untilGone(pid);
    });
  });
});

const quoted = (text: string) => `'${text}'`;
const pause = () => new Promise((resolve) => setTimeout(resolve, 10));

/** A process says where it is when it is ready. */
async function pidIn(file: string): Promise<number> {
  for (;;) {
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    if (pid > 0) return pid;
    await pause();
  }
}

/** One that has ended and that nobody has asked about is a zombie: what reaps orphans may take its time. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await pause();
}
