import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../process/clock.ts';
import { LineWriter } from '../../../process/line-writer.ts';
import { SmallDisk } from '../../support/small-disk.ts';

describe('a writer of lines', () => {
  let folder: string;
  let writers: LineWriter[];
  let troubles: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-lines-'));
    writers = [];
    troubles = [];
  });
  afterEach(async () => {
    await Promise.all(writers.map((writer) => writer.close()));
    rmSync(folder, { recursive: true });
  });

  function writerTo(path: string, isShared = false): LineWriter {
    const onTrouble = (sentence: string) => void troubles.push(sentence);
    const writer = new LineWriter({ path, isShared, clock: systemClock, onTrouble });
    writers.push(writer);
    return writer;
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** One line. */
  function say(writer: LineWriter, text: string): void {
    const bytes = Buffer.from(`${text} and what does not belong to it`);
    writer.write(bytes, Buffer.byteLength(text));
  }

  const file = (name = 'access.log') => join(folder, name);
  const read = (path = file()) => readFileSync(path, 'utf8');

  /** A pipe with a name, and this end of it that reads. */
  function pipe(): { path: string; reader: number } {
    const path = file('pipe');
    spawnSync('mkfifo', [path]);
    return { path, reader: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) };
  }

  /** All that is in it; undefined when it is empty. */
  function readPipe(reader: number): Buffer | undefined {
    const bytes = Buffer.alloc(256 * 1024);
    try {
      return bytes.subarray(0, readSync(reader, bytes));
    } catch {
      return undefined;
    }
  }

  it('writes them in their order, all before it is closed', async () => {
    const writer = writerTo(file());
    const lines = Array.from({ length: 5_000 }, (_, n) => `${n} ${'é'.repeat(n % 50)}`);
    for (const line of lines) say(writer, line);
    await writer.close();
    expect(read()).to.equal(`${lines.join('\n')}\n`);
    expect(writer.counts).to.deep.equal({ written: 5_000, dropped: 0 });
  });

  it('writes them soon, and appends to what is there', async () => {
    for (const line of ['one', 'two']) {
      const writer = writerTo(file());
      say(writer, line);
      await until(() => writer.counts.written === 1);
    }
    expect(read()).to.equal('one\ntwo\n');
  });

  it('drops the newest when more wait than it may keep, and counts them', async () => {
    const writer = writerTo(file());
    const line = 'x'.repeat(999);
    for (let n = 0; n < 10_000; n++) say(writer, `${line}${n}`);
    await writer.close();
    const { written, dropped } = writer.counts;
    expect(written + dropped).to.equal(10_000);
    expect(written).to.be.within(1_000, 3_000);
    const found = read()
      .split('\n')
      .slice(0, -1)
      .map((text) => text.slice(999));
    expect(found).to.deep.equal(found.map((_, n) => String(n)));
    say(writer, 'too late');
    expect(writer.counts.dropped).to.equal(dropped + 1);
  });

  it('goes on in a new file of the name when the old one was moved away, without losing a line', async () => {
    const writer = writerTo(file());
    let written = 0;
    for (let n = 0; n < 5; n++) {
      for (let more = 0; more < 2_000; more++) say(writer, `line ${written++}`);
      renameSync(file(), file(`access.log.${n}`));
      writer.reopen();
      await until(() => existsSync(file()));
    }
    await writer.close();
    const text = [...Array.from({ length: 5 }, (_, n) => file(`access.log.${n}`)), file()].map(read).join('');
    expect(text).to.equal(Array.from({ length: written }, (_, n) => `line ${n}\n`).join(''));
  });

  it('keeps to the old file when there can be no new one, and says so', async () => {
    const writer = writerTo(file());
    renameSync(file(), file('moved'));
    spawnSync('mkdir', [file()]);
    writer.reopen();
    expect(troubles.join()).to.match(/^the file cannot be opened again: EISDIR/);
    say(writer, 'one');
    await writer.close();
    expect(read(file('moved'))).to.equal('one\n');
  });

  it('waits for a pipe that is full, and writes whole lines', async () => {
    const { path, reader } = pipe();
    const writer = writerTo(path);
    for (let n = 0; n < 3_000; n++) say(writer, `${n} ${'x'.repeat(90)}`);
    let text = '';
    while (writer.counts.written < 3_000) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      text += readPipe(reader)?.toString() ?? '';
    }
    text += readPipe(reader)?.toString() ?? '';
    closeSync(reader);
    expect(text).to.equal(Array.from({ length: 3_000 }, (_, n) => `${n} ${'x'.repeat(90)}\n`).join(''));
    expect(troubles).to.deep.equal([]);
  });

  it("gets between nobody else's lines in a pipe that it shares, and nobody between its own", async () => {
    const { path, reader } = pipe();
    const sharers = [writerTo(path, true), writerTo(path, true), writerTo(path, true)];
    const each = 300;
    for (let n = 0; n < each; n++) {
      for (const [who, writer] of sharers.entries()) {
        say(writer, `${who} ${n} ${String(who).repeat((n * 37) % 4_000)}`);
      }
    }
    let text = '';
    await until(() => {
      for (let bytes = readPipe(reader); bytes !== undefined && bytes.length > 0; bytes = readPipe(reader)) {
        text += bytes.toString('latin1');
      }
      return sharers.every(({ counts }) => counts.written === each);
    });
    closeSync(reader);
    const lines = text.split('\n').slice(0, -1);
    expect(lines).to.have.lengthOf(each * sharers.length);
    const isWhole = (line: string) => /^(\d) \d+ \1*$/.test(line);
    expect(lines.filter((line) => !isWhole(line)).map((line) => line.slice(0, 80))).to.deep.equal([]);
  });

  it('is closed within a second when nobody reads the pipe', async () => {
    const { path, reader } = pipe();
    const writer = writerTo(path);
    for (let n = 0; n < 3_000; n++) say(writer, 'x'.repeat(99));
    await writer.close();
    const { written, dropped } = writer.counts;
    expect(written + dropped).to.equal(3_000);
    expect(dropped).to.be.above(2_000);
    closeSync(reader);
  });

  it('is closed sooner when somebody does not want to wait so long, also while it is being closed', async () => {
    const { path, reader } = pipe();
    const writer = writerTo(path);
    for (let line = 0; line < 2_000; line++) say(writer, 'x'.repeat(100));
    const startedAt = performance.now();
    const closed = writer.close();
    await writer.close(20);
    await closed;
    expect(performance.now() - startedAt).to.be.below(500);
    const { written, dropped } = writer.counts;
    expect(written + dropped).to.equal(2_000);
    closeSync(reader);
  });

  it('drops everything when the reader of the pipe has gone, says so once, and goes on when it is opened again', async () => {
    const { path, reader } = pipe();
    const writer = writerTo(path);
    closeSync(reader);
    for (let n = 0; n < 3; n++) {
      say(writer, 'lost');
      await until(() => writer.counts.dropped === n + 1);
    }
    expect(troubles).to.have.length(1);
    expect(troubles.join()).to.match(/EPIPE/);
    const again = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    writer.reopen();
    say(writer, 'found');
    await until(() => writer.counts.written === 1);
    expect(readPipe(again)?.toString()).to.equal('found\n');
    closeSync(again);
  });

  it('waits for room on a disk that is full, and loses no line that it could keep', async function () {
    let disk: SmallDisk;
    try {
      disk = new SmallDisk(256 * 1024);
    } catch {
      return this.skip();
    }
    try {
      const path = join(disk.path, 'access.log');
      const writer = writerTo(path);
      disk.fill();
      for (let n = 0; n < 1_000; n++) say(writer, `line ${n} ${'x'.repeat(90)}`);
      await until(() => troubles.length > 0);
      expect(troubles.join()).to.match(/ENOSPC/);
      disk.makeRoom();
      await until(() => writer.counts.written === 1_000);
      expect(read(path)).to.equal(Array.from({ length: 1_000 }, (_, n) => `line ${n} ${'x'.repeat(90)}\n`).join(''));
    } finally {
      await Promise.all(writers.map((writer) => writer.close()));
      disk.unmount();
    }
  });

  for (const { what, path, want } of [
    { what: 'a folder', path: () => folder, want: /EISDIR/ },
    { what: 'a file in a folder that there is not', path: () => join(folder, 'no', 'such'), want: /ENOENT/ },
    {
      what: 'a pipe that nobody reads',
      path: () => {
        const { path, reader } = pipe();
        closeSync(reader);
        return path;
      },
      want: /ENXIO/,
    },
  ]) {
    it(`cannot be opened to ${what}`, () => expect(() => writerTo(path())).to.throw(want));
  }
});
