import { expect } from 'chai';
import fc from 'fast-check';
import { applyDelta, deltaOf, meshDelta } from '../../../../agent/workers/mesh-delta.ts';
import { decodeResource } from '../../../../agent/xds/decode.ts';
import {
  copyTables,
  type HeldMesh,
  nothingHeld,
  type ResourceKind,
  resourceKinds,
  versionsOf,
} from '../../../../agent/xds/resources.ts';
import { fuzz } from '../../model/fuzz-runs.ts';
import { closureOf } from '../xds/mesh-fixture.ts';

/** Holds these services, each in the state that a port stands for; from `before` what is the same. */
function holding(services: Readonly<Record<string, number>>, before: HeldMesh = nothingHeld): HeldMesh {
  const tables = copyTables();
  for (const [service, port] of Object.entries(services)) {
    const closure = closureOf(service, port);
    for (const kind of ['clusters', 'endpoints', 'routeConfigurations', 'names'] as const) {
      const { name, version } = closure[kind];
      const known = before.tables[kind].get(name);
      if (known?.version === version) keep(tables, kind, name, before);
      else decodeResource(tables, kind, closure[kind]);
    }
  }
  return { meshId: 'mesh-a', revision: before.revision + 1, tables };
}

function keep(tables: ReturnType<typeof copyTables>, kind: ResourceKind, name: string, { tables: from }: HeldMesh) {
  const put = <Kind extends ResourceKind>(of: Kind) => {
    const held = from[of].get(name);
    if (held !== undefined) tables[of].set(name, held);
  };
  put(kind);
}

const versions = ({ tables }: HeldMesh) => resourceKinds.map((kind) => versionsOf(tables, kind));

describe('what changed between two states of what is held', () => {
  it('is all of it from nothing on', () => {
    const { tables } = deltaOf(nothingHeld, holding({ 'reviews.default': 1 }));
    expect(resourceKinds.map((kind) => [kind, tables[kind].put.map(({ name }) => name)])).to.deep.equal([
      ['endpoints', ['reviews.default|http|']],
      ['clusters', ['reviews.default|http|']],
      ['routeConfigurations', ['reviews.default:80']],
      ['listeners', []],
      ['names', ['reviews.default']],
    ]);
  });

  it('is only what is another one, and what is gone', () => {
    const before = holding({ 'reviews.default': 1, 'ratings.default': 1, 'cart.default': 1 });
    const { revision, tables } = deltaOf(before, holding({ 'reviews.default': 2, 'ratings.default': 1 }, before));
    expect(revision).to.equal(2);
    expect(tables.endpoints.put.map(({ name }) => name)).to.deep.equal(['reviews.default|http|']);
    expect(resourceKinds.map((kind) => tables[kind].put.length)).to.deep.equal([1, 0, 0, 0, 0]);
    expect(resourceKinds.flatMap((kind) => tables[kind].removed)).to.deep.equal([
      'cart.default|http|',
      'cart.default|http|',
      'cart.default:80',
      'cart.default',
    ]);
  });

  it('leaves what did not change the same object', () => {
    const before = holding({ 'reviews.default': 1, 'ratings.default': 1 });
    const after = applyDelta(before, deltaOf(before, holding({ 'reviews.default': 2, 'ratings.default': 1 }, before)));
    const [reviews, ratings] = ['reviews.default|http|', 'ratings.default|http|'];
    expect(after.tables.endpoints.get(ratings)).to.equal(before.tables.endpoints.get(ratings));
    expect(after.tables.endpoints.get(reviews)).not.to.equal(before.tables.endpoints.get(reviews));
  });

  it('cannot be applied when it cannot be read', () => {
    const delta = deltaOf(nothingHeld, holding({ 'reviews.default': 1 }));
    for (const resource of delta.tables.clusters.put) resource.bytes = '/w==';
    expect(() => applyDelta(nothingHeld, delta)).to.throw(/^clusters reviews.default\|http\| cannot be decoded/);
  });

  const state = fc.dictionary(
    fc.constantFrom('reviews.default', 'ratings.default', 'cart.default'),
    fc.integer({ min: 1, max: 3 }),
    {
      noNullPrototype: true,
    },
  );

  it('property: leads from any state to any other, also as JSON', () => {
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 6 }), (states) => {
        let held = nothingHeld;
        let follower = nothingHeld;
        for (const services of states) {
          const next = holding(services, held);
          follower = applyDelta(follower, meshDelta.parse(JSON.parse(JSON.stringify(deltaOf(held, next)))));
          held = next;
          expect(versions(follower)).to.deep.equal(versions(held));
          expect(follower.revision).to.equal(held.revision);
        }
      }),
      fuzz,
    );
  });
});
