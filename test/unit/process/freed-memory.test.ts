import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { giveBackFreedMemory } from '../../../process/freed-memory.ts';

const residentKb = () => Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0);

describe('freed memory', () => {
  it('may be given back at any time, and leaves what is in use alone', () => {
    const kept = Array.from({ length: 100 }, (_, index) => Buffer.alloc(100_000, index));
    const before = residentKb();
    giveBackFreedMemory();
    expect(residentKb()).to.be.at.most(before + 1_000);
    expect(kept.every((buffer, index) => buffer.every((octet) => octet === index))).to.equal(true);
  });
});
