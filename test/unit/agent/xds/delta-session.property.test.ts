import { expect } from 'chai';
import fc from 'fast-check';
import { markTypeUrl, typeUrls } from '../../../../agent/xds/resources.ts';
import type { DeltaDiscoveryResponse } from '../../../../proto/types.ts';
import { fuzz } from '../../model/fuzz-runs.ts';
import { batchOf, closureOf, markOf, resource, response } from './mesh-fixture.ts';
import { SessionHarness } from './session-harness.ts';

const services = ['reviews.default', 'ratings.default', 'cart.default'] as const;
const service = fc.constantFrom(...services);
const kinds = ['clusters', 'endpoints', 'routeConfigurations', 'names'] as const;
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));

/** Single responses, sound and unsound, in any order: what no server should send, but one might. */
const anyResponse: fc.Arbitrary<DeltaDiscoveryResponse> = fc.oneof(
  fc.tuple(fc.constantFrom(...kinds), service, fc.constantFrom(1, 2)).map(([kind, of, port]) => {
    return response(typeUrls[kind], [closureOf(of, port)[kind]]);
  }),
  fc
    .tuple(fc.constantFrom(...kinds), service)
    .map(([kind, of]) => response(typeUrls[kind], [], [closureOf(of)[kind].name])),
  fc.tuple(fc.constantFrom(...kinds), service, bytes).map(([kind, of, garbage]) => {
    return response(typeUrls[kind], [resource(kind, closureOf(of)[kind].name, garbage)]);
  }),
  fc.tuple(fc.constantFrom(...kinds, 'mark'), bytes).map(([kind, garbage]) => {
    const typeUrl = kind === 'mark' ? markTypeUrl : typeUrls[kind];
    return response(typeUrl, [{ name: 'mesh', version: '1', resource: { type_url: typeUrl, value: garbage } }]);
  }),
  fc.string().map((typeUrl) => response(typeUrl, [])),
  fc
    .record({ revision: fc.nat(9), meshId: fc.constantFrom('mesh-a', 'mesh-b') })
    .map((mark) => response(markTypeUrl, [markOf(mark)])),
);

type Step =
  | { readonly receive: DeltaDiscoveryResponse }
  | { readonly subscribe: string }
  | { readonly unsubscribe: string };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: anyResponse.map((received) => ({ receive: received })) },
  { weight: 1, arbitrary: service.map((name) => ({ subscribe: name })) },
  { weight: 1, arbitrary: service.map((name) => ({ unsubscribe: name })) },
);

/** The same response twice would be two of one nonce: a copy gets its own. */
let copies = 0;
function perform(harness: SessionHarness, taken: Step): void {
  copies += 1;
  if ('receive' in taken) harness.receive({ ...plain(taken.receive), nonce: `copy-${copies}` });
  else if ('subscribe' in taken) harness.subscribe(taken.subscribe);
  else harness.unsubscribe(taken.unsubscribe);
}

const plain = ({ systemVersionInfo, resources, typeUrl, removedResources, controlPlane }: DeltaDiscoveryResponse) => {
  return { systemVersionInfo, resources, typeUrl, removedResources, controlPlane };
};

describe('delta session, whatever a server sends', () => {
  it('property: each response has one verdict, the view is that of what is held, and no revision goes down', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const harness = new SessionHarness({ names: [services[0]] });
        harness.start();
        for (const taken of steps) {
          const before = harness.held;
          // The harness checks that there is exactly one verdict, at once.
          perform(harness, taken);
          const { held, view } = harness;
          expect(before.meshId === '' || held.meshId === before.meshId).to.equal(true);
          expect(held.revision).to.be.at.least(before.revision);
          for (const name of held.tables.names.keys()) {
            expect(view.service(name)?.ports.get(80)?.clusters.size, `what ${name} needs is in use`).to.equal(1);
          }
        }
      }),
      fuzz,
    );
  });

  it('property: whatever came before, a whole batch at the end is applied', () => {
    fc.assert(
      fc.property(fc.array(anyResponse, { maxLength: 20 }), (responses) => {
        const harness = new SessionHarness({ names: [...services] });
        harness.start();
        for (const received of responses) perform(harness, { receive: received });
        const { meshId, revision } = harness.held;
        // A mark that ends what is staged, and may be refused for it; then everything anew.
        harness.receive(response(markTypeUrl, [markOf({ meshId: meshId || 'mesh-a', revision })]));
        const { held } = harness;
        // What came before may have been a mark of any revision, and none goes down.
        const mark = { meshId: held.meshId || 'mesh-a', revision: Math.max(10, held.revision) };
        const said = harness.receive(...batchOf(services, mark));
        expect(said.at(-1)).to.deep.equal({ ack: 'Revision' });
        expect([...harness.held.tables.names.keys()].sort()).to.deep.equal([...services].sort());
      }),
      fuzz,
    );
  });
});
