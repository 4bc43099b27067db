import { expect } from 'chai';
import { NameTable } from '../../../../agent/xds/name-table.ts';

const none = () => false;
const table = (declared: string[] = [], remembered: string[] = [], isKnown: (name: string) => boolean = none) =>
  new NameTable(declared, remembered, isKnown, 0);

describe('names an agent is subscribed to', () => {
  it('begin with the declared and the remembered ones', () => {
    const names = table(['a', 'b'], ['b', 'c'], (name) => name === 'b');
    expect(names.names.map((name) => [name, names.stateOf(name)])).to.deep.equal([
      ['a', 'asked'],
      ['b', 'known'],
      ['c', 'asked'],
    ]);
  });

  for (const { name, state, afterMs, gone } of [
    { name: 'an absent one goes after 30 s without use', state: 'absent', afterMs: 30_000, gone: ['a'] },
    { name: 'an absent one stays for that long', state: 'absent', afterMs: 29_999, gone: [] },
    { name: 'a refused one goes after 30 s without use', state: 'refused', afterMs: 30_000, gone: ['a'] },
    { name: 'a known one goes after 10 minutes without use', state: 'known', afterMs: 600_000, gone: ['a'] },
    { name: 'a known one stays for that long', state: 'known', afterMs: 599_999, gone: [] },
    { name: 'one that is being asked for stays', state: 'asked', afterMs: 900_000, gone: [] },
  ] as const) {
    it(name, () => {
      const names = table();
      names.ask('a', 0);
      names.settle('a', state);
      expect(names.expire(afterMs)).to.deep.equal(gone);
    });
  }

  it('use keeps a name', () => {
    const names = table();
    names.ask('a', 0);
    names.settle('a', 'absent');
    names.use('a', 20_000);
    expect(names.expire(49_999)).to.deep.equal([]);
    expect(names.expire(50_000)).to.deep.equal(['a']);
  });

  it('declared ones never go', () => {
    const names = table(['a']);
    names.settle('a', 'absent');
    expect(names.expire(1e9)).to.deep.equal([]);
    names.forgetUnknown();
    expect(names.stateOf('a')).to.equal('asked');
  });

  it('without a connection, what is not in use is forgotten', () => {
    const names = table();
    for (const name of ['known', 'absent', 'refused', 'asked'] as const) {
      names.ask(name, 0);
      names.settle(name, name);
    }
    names.forgetUnknown();
    expect(names.names).to.deep.equal(['known']);
  });

  it('are at most 10,000: the least recently used goes, useless ones before known ones', () => {
    const names = table(['declared']);
    for (let count = 1; count < 10_000; count += 1) {
      expect(names.ask(`n${count}`, count)).to.deep.equal([]);
      names.settle(`n${count}`, 'known');
    }
    names.settle('n5', 'absent');
    expect(names.ask('x', 20_000)).to.deep.equal(['n5']);
    expect(names.ask('y', 20_000)).to.deep.equal(['n1']);
    names.use('n2', 30_000);
    expect(names.ask('z', 30_000)).to.deep.equal(['n3']);
    expect(names.names).to.have.length(10_000);
  });
});
