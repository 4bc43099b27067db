import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type FileWatch, watchFile } from '../../../process/file-watch.ts';
import { FakeClock } from './fake-clock.ts';

describe('a watch of a file', () => {
  const lookMs = 500;
  let folder: string;
  let path: string;
  let clock: FakeClock;
  let told: number;
  let watch: FileWatch;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-watch-'));
    path = join(folder, 'agent.yaml');
    writeFileSync(path, 'a');
    clock = new FakeClock();
    told = 0;
    watch = watchFile(path, { clock, onChange: () => told++ });
  });
  afterEach(() => {
    watch.close();
    rmSync(folder, { recursive: true });
  });

  /** How often it has told of a change by then. */
  function toldAfter(looks: number): number {
    clock.advance(looks * lookMs);
    return told;
  }

  function replace(text: string): void {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }

  it('says nothing as long as the file is the same', () => expect(toldAfter(10)).to.equal(0));

  it('tells once of a file that was written over', () => {
    writeFileSync(path, 'bb');
    expect(toldAfter(1)).to.equal(0);
    expect(toldAfter(1)).to.equal(1);
    expect(toldAfter(10)).to.equal(1);
  });

  it('tells of another file of the same length in its place', () => {
    replace('b');
    expect(toldAfter(2)).to.equal(1);
    replace('c');
    expect(toldAfter(2)).to.equal(2);
  });

  it('waits until nobody writes any more', () => {
    for (const text of ['b', 'bb', 'bbb', 'bbbb']) {
      writeFileSync(path, text);
      expect(toldAfter(1)).to.equal(0);
    }
    expect(toldAfter(1)).to.equal(1);
  });

  it('takes a missing file for one that is being replaced', () => {
    unlinkSync(path);
    expect(toldAfter(10)).to.equal(0);
    writeFileSync(path, 'b');
    expect(toldAfter(2)).to.equal(1);
  });

  it('looks where a symbolic link leads', () => {
    for (const name of ['one', 'other']) writeFileSync(join(folder, name), name);
    unlinkSync(path);
    symlinkSync('one', path);
    expect(toldAfter(2)).to.equal(1);
    symlinkSync('other', `${path}.new`);
    renameSync(`${path}.new`, path);
    expect(toldAfter(2)).to.equal(2);
  });

  it('is over when it is closed', () => {
    watch.close();
    replace('b');
    expect(toldAfter(10)).to.equal(0);
    expect(clock.waiting).to.deep.equal([]);
  });

  it('goes on when the file cannot be seen for another reason, and tells when it can be', () => {
    unlinkSync(path);
    symlinkSync(path, path);
    expect(toldAfter(5)).to.equal(0);
    unlinkSync(path);
    writeFileSync(path, 'b');
    expect(toldAfter(2)).to.equal(1);
  });
});
