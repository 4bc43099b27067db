import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { keepLastGood, readLastGood } from '../../../../agent/state/last-good.ts';
import { decodeLastGood, encodeLastGood, type LastGood } from '../../../../agent/state/last-good-format.ts';
import { openStateDirectory } from '../../../../agent/state/state-directory.ts';
import { fuzz } from '../../model/fuzz-runs.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { batchOf } from '../xds/mesh-fixture.ts';
import { SessionHarness, silent } from '../xds/session-harness.ts';

function lastGood(services: readonly string[], revision = 5): LastGood {
  const harness = new SessionHarness({ names: services });
  harness.start();
  harness.receive(...batchOf(services, { revision }));
  return { held: harness.held, names: services };
}

const kept = lastGood(['reviews.default', 'ratings.default']);

describe('the last-good file', () => {
  it('gives back what was kept', () => {
    expect(decodeLastGood(encodeLastGood(kept))).to.deep.equal(kept);
  });

  it('is the same for the same content', () => {
    expect(encodeLastGood(kept).equals(encodeLastGood(lastGood(['reviews.default', 'ratings.default'])))).to.equal(
      true,
    );
  });

  it('of another format version is refused by a sentence that names both', () => {
    const file = encodeLastGood(kept);
    file.writeUInt32BE(2, 40);
    createHash('sha256').update(file.subarray(0, 8)).update(file.subarray(40)).digest().copy(file, 8);
    expect(decodeLastGood(file)).to.equal('its format is version 2; this agent reads version 1');
  });

  it('property: cut off anywhere, it is refused', () => {
    const file = encodeLastGood(kept);
    fc.assert(
      fc.property(fc.nat(file.length - 1), (length) => {
        expect(decodeLastGood(file.subarray(0, length))).to.be.a('string');
      }),
      fuzz,
    );
  });

  it('property: with any bits flipped, it is refused', () => {
    const file = encodeLastGood(kept);
    const flips = fc.uniqueArray(fc.nat(file.length * 8 - 1), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(flips, (bits) => {
        const damaged = Buffer.from(file);
        for (const bit of bits) damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(decodeLastGood(damaged)).to.be.a('string');
      }),
      fuzz,
    );
  });

  it('property: no bytes at all make it fail otherwise than by a sentence', () => {
    const headed = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([Buffer.from('SLUICELG'), bytes]));
    fc.assert(
      fc.property(fc.oneof(headed, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        expect(decodeLastGood(Buffer.from(bytes))).to.be.a('string');
      }),
      fuzz,
    );
  });
});

describe('keeping last-good', () => {
  let folder: string;
  let path: string;
  const clock = new FakeClock();
  const now = () => clock.now();
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-state-'));
    path = join(folder, 'last-good');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('writes the newest of what changed meanwhile, once', async () => {
    let newest = lastGood(['reviews.default'], 1);
    const keeper = keepLastGood({ path, take: () => newest, clock, log: silent });
    keeper.changed();
    keeper.changed();
    newest = lastGood(['reviews.default'], 3);
    keeper.changed();
    await keeper.flush();
    expect({ writes: keeper.writes, read: readLastGood(path, now, silent) }).to.deep.equal({ writes: 1, read: newest });
    expect(readdirSync(folder)).to.deep.equal(['last-good']);
  });

  it('writes again what changes while it writes', async () => {
    let newest = lastGood(['reviews.default'], 1);
    const keeper = keepLastGood({ path, take: () => newest, clock, log: silent });
    keeper.changed();
    const first = keeper.flush();
    newest = lastGood(['reviews.default'], 2);
    keeper.changed();
    await first;
    await keeper.flush();
    expect(readLastGood(path, now, silent)).to.deep.equal(newest);
  });

  it('writes the first change at once and leaves 200 ms between writes', async () => {
    const fresh = new FakeClock();
    const keeper = keepLastGood({ path, take: () => kept, clock: fresh, log: silent });
    keeper.changed();
    expect(fresh.waiting).to.deep.equal([0]);
    await keeper.flush();
    keeper.changed();
    expect(fresh.waiting).to.deep.equal([200]);
  });

  it('counts what the disk refuses, and goes on', async () => {
    mkdirSync(path);
    const keeper = keepLastGood({ path, take: () => kept, clock, log: silent });
    keeper.changed();
    await keeper.flush();
    expect({ writes: keeper.writes, failures: keeper.failures }).to.deep.equal({ writes: 0, failures: 1 });
    rmSync(path, { recursive: true });
    keeper.changed();
    await keeper.flush();
    expect(keeper.writes).to.equal(1);
  });

  it('sets a file aside that cannot be used, named by the time', () => {
    writeFileSync(path, 'SLUICELG and then something else that is long enough to have a header');
    expect(readLastGood(path, now, silent)).to.equal(undefined);
    expect(readdirSync(folder)).to.deep.equal(['last-good.damaged-2023-11-14T22-13-20.000Z']);
  });

  it('has nothing to say about a file that is not there', () => {
    expect(readLastGood(path, now, silent)).to.equal(undefined);
  });
});

describe('the state directory', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-state-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const open = (path = join(folder, 'a', 'b')) => openStateDirectory(path, () => 0, silent);

  it('is made, and its key is drawn once', () => {
    const first = open();
    if ('refused' in first) return expect.fail(first.refused);
    first.close();
    const second = open();
    if ('refused' in second) return expect.fail(second.refused);
    second.close();
    expect(first.key).to.have.length(32);
    expect(Buffer.from(second.key).equals(first.key)).to.equal(true);
  });

  it('is one agent at a time', () => {
    const first = open();
    if ('refused' in first) return expect.fail(first.refused);
    const second = open();
    expect(second).to.deep.equal({
      refused: `the state directory ${join(folder, 'a', 'b')} is in use by another agent (process ${process.pid}); give each agent its own --id or --state-dir`,
    });
    first.close();
  });

  it('that cannot be made is refused by a sentence', () => {
    writeFileSync(join(folder, 'file'), '');
    const refused = open(join(folder, 'file', 'b'));
    expect('refused' in refused ? refused.refused : '').to.match(/cannot be used: E(NOTDIR|EXIST)/);
  });

  it('with a key of the wrong length gets a new key, and keeps the old one', () => {
    const path = join(folder, 'a');
    mkdirSync(path);
    writeFileSync(join(path, 'key'), 'short');
    const directory = open(path);
    if ('refused' in directory) return expect.fail(directory.refused);
    directory.close();
    expect(readFileSync(join(path, 'key'))).to.have.length(32);
    expect(readdirSync(path).filter((name) => name.startsWith('key.damaged-'))).to.have.length(1);
  });
});
