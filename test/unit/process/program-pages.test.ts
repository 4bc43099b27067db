import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { giveBackProgramPages, unchangedMappings } from '../../../process/program-pages.ts';

/** Kilobytes of files that are in the memory of this process. */
const residentKb = () => Number(/^RssFile:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

/** One mapping as /proc/PID/smaps has it. */
const mapping = (head: string, { anonymous = 0, swap = 0 } = {}) =>
  `${head}\nSize:   12 kB\nAnonymous:   ${anonymous} kB\nSwap:   ${swap} kB\nVmFlags: rd ex mr mw me sd\n`;

describe('pages of the program', () => {
  it('leave the process when they are given back, and come again when they are needed', function () {
    if (process.platform !== 'linux') {
      process.stdout.write('skipped: only Linux tells a process its mappings\n');
      return this.skip();
    }
    const before = residentKb();
    giveBackProgramPages();
    expect(before - residentKb()).to.be.above(2_000);
    expect(JSON.parse(JSON.stringify({ as: ['before'] }))).to.deep.equal({ as: ['before'] });
  });

  for (const [what, head, own, isFound] of [
    ['code', '00cd8000-02764000 r-xp 008d8000 fe:00 1301 /usr/bin/node', {}, true],
    ['constants', '00cd8000-02764000 r--p 008d8000 fe:00 1301 /usr/bin/node', {}, true],
    ['code with a changed page', '00cd8000-02764000 r-xp 008d8000 fe:00 1301 /usr/bin/node', { anonymous: 4 }, false],
    ['a changed page on disk', '00cd8000-02764000 r--p 008d8000 fe:00 1301 /usr/bin/node', { swap: 4 }, false],
    ['code of no file', '00cd8000-02764000 r-xp 00000000 00:00 0', {}, false],
    ['what may be written', '00cd8000-02764000 rw-p 008d8000 fe:00 1301 /usr/bin/node', {}, false],
    ['what may not even be read', '00cd8000-02764000 ---p 008d8000 fe:00 1301 /usr/lib/libc.so', {}, false],
    ['what is shared', '00cd8000-02764000 r--s 008d8000 fe:00 1301 /usr/lib/gconv.cache', {}, false],
    ['a little code', '00cd8000-00cd9000 r-xp 008d8000 fe:00 1301 /usr/lib/libdl.so', {}, false],
  ] as const) {
    it(`are ${isFound ? '' : 'not '}to be given back: ${what}`, () => {
      const others = mapping('7f00-7f01 rw-p 00000000 00:00 0', { anonymous: 8 });
      expect(unchangedMappings(others + mapping(head, own) + others)).to.deep.equal(
        isFound ? [{ from: 0xcd8000n, to: 0x2764000n }] : [],
      );
    });
  }
});
