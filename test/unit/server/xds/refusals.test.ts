import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { EncodedResource } from '../../../../server/compile/encoded-resource.ts';
import { Refusals } from '../../../../server/xds/refusals.ts';
import type { SentResponse } from '../../../../server/xds/verdicts.ts';

const resource = (name: string, version: string) =>
  new EncodedResource({ typeUrl: typeUrls.cluster, name, version, bytes: Buffer.alloc(0) });

const a = resource('a.default|http|', 'a2');
const subset = resource('a.default|http|v1', 'v2');
const good = resource('a.default|http|', 'a1');

const response = (changed: readonly EncodedResource[]): SentResponse => ({
  nonce: '1',
  revision: 1,
  sequence: 1,
  isWhole: true,
  changed,
  replaced: new Map([[good.name, good]]),
});

function refused(message: string, changed = [a, subset]): Refusals {
  const refusals = new Refusals();
  refusals.add(response(changed), message, (name) => changed.find((each) => each.name === name));
  return refusals;
}

describe('what a client refused', () => {
  it('is what its message names, as a whole name', () => {
    const refusals = refused('Error adding/updating cluster(s) a.default|http|v1: no such policy');
    expect(refusals.has(subset)).to.equal(true);
    expect(refusals.has(a)).to.equal(false);
  });

  it('is all that was changed when the message names nothing', () => {
    const refusals = refused('no');
    expect([refusals.has(a), refusals.has(subset)]).to.deep.equal([true, true]);
  });

  it('has the last good version in its place, when it is named', () => {
    const refusals = refused('cluster a.default|http|: no');
    expect(refusals.inPlaceOf(a)).to.equal(good);
    expect(refusals.inPlaceOf(subset)).to.equal(subset);
  });

  it('is left out when it is named and there never was a good one', () => {
    expect(refused('cluster a.default|http|v1: no').inPlaceOf(subset)).to.equal(undefined);
  });

  it('stays in a whole set as it is when the client may have an earlier version from another stream', () => {
    const refusals = new Refusals();
    refusals.add({ ...response([a]), replaced: undefined }, 'cluster a.default|http|: no', () => a);
    expect(refusals.inPlaceOf(a)).to.equal(a);
  });

  it('stays in a whole set when nobody knows which it is, and is taken with it', () => {
    const refusals = refused('no');
    expect(refusals.inPlaceOf(a)).to.equal(a);
    refusals.onWholeTaken();
    expect(refusals.isEmpty).to.equal(true);
  });

  it('is forgotten when there is another version, or nothing any more', () => {
    for (const after of [resource(a.name, 'a3'), undefined]) {
      const refusals = refused('no', [a]);
      refusals.onChange(a.name, a);
      expect(refusals.isEmpty).to.equal(false);
      refusals.onChange(a.name, after);
      expect(refusals.isEmpty).to.equal(true);
    }
  });

  it('does not count when it has changed since it was sent: that may be the repair', () => {
    const refusals = new Refusals();
    refusals.add(response([a]), 'no', () => resource(a.name, 'a3'));
    expect(refusals.isEmpty).to.equal(true);
  });

  it('does not count when the client no longer asks for it', () => {
    const refusals = refused('no');
    refusals.keepOnly((name) => name === a.name);
    expect([...refusals.all.keys()]).to.deep.equal([a.name]);
  });
});
