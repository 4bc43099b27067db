import { expect } from 'chai';
import fc from 'fast-check';
import { type NameSet, NameSets } from '../../../../server/xds/name-sets.ts';

/** Which services sets speak of, as an index would know it. */
class Holdings {
  readonly counts = new Map<string, number>();

  holdServiceBy(service: string): void {
    this.counts.set(service, (this.counts.get(service) ?? 0) + 1);
  }

  releaseServiceBy(service: string): void {
    const count = (this.counts.get(service) ?? 0) - 1;
    if (count > 0) this.counts.set(service, count);
    else this.counts.delete(service);
  }
}

const many = Array.from({ length: 100 }, (_, i) => `service-${i}|http|`);
const ownerOf = (_typeUrl: string, name: string) => name.split('|')[0] ?? '';

function open() {
  const index = new Holdings();
  return { index, sets: new NameSets<string>('a type', { ownerOf }, index) };
}

describe('sets of names', () => {
  it('are one for all who ask for the same many names, in whatever order and steps', () => {
    const { sets, index } = open();
    const one = sets.change('one', sets.empty, many, []);
    const half = sets.change('two', sets.empty, [...many].reverse().slice(0, 50), []);
    const two = sets.change('two', half, many.slice(0, 50), []);
    expect(two).to.equal(one);
    expect([...two.members]).to.deep.equal(['one', 'two']);
    expect(index.counts.get('service-7')).to.equal(1);
  });

  it('are found by a list of them in any order, and not by one that only looks alike', () => {
    const { sets } = open();
    const one = sets.change('one', sets.empty, many, []);
    expect(sets.join('two', many)).to.equal(one);
    expect(sets.join('three', [...many].reverse())).to.equal(one);
    expect(sets.join('four', [...many].reverse())).to.equal(one);
    expect(one.members.size).to.equal(4);
    expect(sets.join('five', [...many.slice(1), 'other'])).to.equal(undefined);
    expect(sets.join('five', [...many.slice(1), many[1] ?? ''])).to.equal(undefined);
    expect(sets.join('five', many.slice(1))).to.equal(undefined);
  });

  it('are left, not changed, by one of several who have them', () => {
    const { sets } = open();
    const shared = sets.change('one', sets.empty, many, []);
    sets.change('two', sets.empty, many, []);
    const { content } = shared;
    const own = sets.change('two', shared, ['more|http|'], many.slice(0, 1));
    expect(own.names.size).to.equal(100);
    expect(own.names.has('more|http|')).to.equal(true);
    expect(shared.names.has('more|http|')).to.equal(false);
    expect(shared.content).to.equal(content);
    expect([...shared.members]).to.deep.equal(['one']);
  });

  it('are changed in place by who has them alone, and say so', () => {
    const { sets } = open();
    const set = sets.change('one', sets.empty, many, []);
    const { content } = set;
    expect(sets.change('one', set, ['more|http|'], [])).to.equal(set);
    expect(set.content).to.not.equal(content);
    // Who asks for what it was before does not get what it is now.
    expect(sets.change('two', sets.empty, many, [])).to.not.equal(set);
  });

  it('hold no service when nobody has them any more', () => {
    const { sets, index } = open();
    const set = sets.change('one', sets.empty, many, []);
    sets.change('two', sets.empty, many, []);
    sets.leave('one', set);
    expect(index.counts.size).to.equal(100);
    sets.leave('two', set);
    expect(index.counts.size).to.equal(0);
  });

  it('property: have the names that each member asked for, and the index has their services', () => {
    const name = fc.nat(60).map((n) => `s${n % 20}|p${n}|`);
    const step = fc.record({
      member: fc.constantFrom('a', 'b', 'c'),
      names: fc.uniqueArray(name, { maxLength: 50 }),
      isAdded: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { sets, index } = open();
        const wanted = new Map<string, Set<string>>();
        const had = new Map<string, NameSet<string>>();
        for (const { member, names, isAdded } of steps) {
          const mine = wanted.get(member) ?? new Set<string>();
          wanted.set(member, mine);
          const changed = names.filter((each) => mine.has(each) !== isAdded);
          for (const each of changed) if (isAdded) mine.add(each);
          for (const each of changed) if (!isAdded) mine.delete(each);
          const present = had.get(member) ?? sets.empty;
          had.set(member, sets.change(member, present, isAdded ? changed : [], isAdded ? [] : changed));
        }
        for (const [member, set] of had)
          expect([...set.names].sort()).to.deep.equal([...(wanted.get(member) ?? [])].sort());
        const services = [...wanted.values()].flatMap((names) => [...names].map((each) => ownerOf('', each)));
        expect([...index.counts.keys()].sort()).to.deep.equal([...new Set(services)].sort());
        for (const [member, set] of had) sets.leave(member, set);
        expect(index.counts.size).to.equal(0);
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 200) },
    );
  });
});
