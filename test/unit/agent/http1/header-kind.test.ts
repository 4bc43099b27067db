import { expect } from 'chai';
import { addToHash, headerKind, kindCount, kindOf, otherSluiceHeader } from '../../../../agent/http1/header-kind.ts';

function kindOfName(name: string): number {
  const bytes = Buffer.from(name, 'latin1');
  let hash = 0;
  for (const octet of bytes) hash = addToHash(hash, octet);
  return kindOf(hash, bytes, 0, bytes.length);
}

const known = Object.entries(headerKind).filter(([name]) => name !== '');

describe('kinds of headers', () => {
  it('are numbers from 1, each of one name, and one of all that agents may come to say', () => {
    const kinds = [...known.map(([, kind]) => kind), otherSluiceHeader];
    expect([...kinds].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: kindCount - 1 }, (_, n) => n + 1));
  });

  it('are told by the name, in whatever case', () => {
    for (const [name, kind] of known) {
      expect(kindOfName(name), name).to.equal(kind);
      expect(kindOfName(name.toUpperCase()), name).to.equal(kind);
      expect(kindOfName(name.replace(/^./, (letter) => letter.toUpperCase())), name).to.equal(kind);
    }
  });

  it('are not those of names that look like them', () => {
    for (const [name, kind] of known) {
      // The hash does not tell these from a letter or from one another.
      for (const other of [`${name}x`, `x${name}`, name.slice(1), name.slice(0, -1), name.replace('-', '_')]) {
        if (other === name || other in headerKind || other.startsWith('x-sluice-')) continue;
        expect(kindOfName(other), other).to.equal(0);
      }
      expect(kindOfName(name.replace('-', '\r')), name).to.equal(name.includes('-') ? 0 : kind);
    }
  });

  it('are one for all names that begin as those of agents do', () => {
    for (const name of ['x-sluice-instances', 'X-Sluice-Whatever', 'x-sluice-', 'x-sluice-b']) {
      expect(kindOfName(name), name).to.equal(otherSluiceHeader);
    }
    for (const name of ['x-sluice', 'x-sluic-e-', 'y-sluice-a', 'x-sluicer-a', 'x_sluice-a', '--------- ']) {
      expect(kindOfName(name), name).to.equal(0);
    }
  });

  it('are none for other headers', () => {
    for (const name of ['accept', 'content-type', 'x', '', 'user-agent', 'set-cookie', 'trailer']) {
      expect(kindOfName(name), name).to.equal(0);
    }
  });

  it('are none where other names share a slot of the table with them', () => {
    // Of 10,000 names some two hundred do.
    for (let n = 0; n < 10_000; n++) expect(kindOfName(`x-${n}`)).to.equal(0);
  });
});
