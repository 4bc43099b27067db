import { expect } from 'chai';
import fc from 'fast-check';
import { FewEntries } from '../../../../server/xds/few-entries.ts';

describe('a map of few entries', () => {
  it('tells an entry without a value from none', () => {
    const few = new FewEntries<string | undefined>();
    few.set('a', undefined);
    expect([few.has('a'), few.has('b'), few.size]).to.deep.equal([true, false, 1]);
  });

  for (const names of [['a'], ['a', 'b', 'c']]) {
    it(`lets go of entries while it is gone through (${names.length})`, () => {
      const few = new FewEntries<number>();
      for (const name of names) few.set(name, 1);
      const seen: string[] = [];
      for (const [name] of few.entries()) {
        seen.push(name);
        few.delete(name);
      }
      expect(seen).to.deep.equal(names);
      expect(few.size).to.equal(0);
    });
  }

  it('property: is as a Map is', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.record({ is: fc.constant('set' as const), name, value: fc.nat(9) }),
      fc.record({ is: fc.constant('delete' as const), name }),
      fc.record({ is: fc.constant('clear' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const few = new FewEntries<number>();
        const map = new Map<string, number>();
        for (const each of steps) {
          if (each.is === 'clear') for (const one of [few, map]) one.clear();
          else if (each.is === 'delete') for (const one of [few, map]) one.delete(each.name);
          else for (const one of [few, map]) one.set(each.name, each.value);
          expect([...few.entries()]).to.deep.equal([...map]);
          expect([few.size, few.first]).to.deep.equal([map.size, [...map.keys()][0]]);
          for (const one of ['a', 'b', 'c']) {
            expect([few.has(one), few.get(one)]).to.deep.equal([map.has(one), map.get(one)]);
          }
        }
      }),
    );
  });
});
