/** Whatever a client asks and answers, and whatever changes meanwhile: in the end it has what the cache has. */
import { expect } from 'chai';
import fc from 'fast-check';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { ownerOf } from '../../../../server/snapshot/snapshot-cache.ts';
import type { Protocol } from '../../../../server/xds/session.ts';
import { FakeClient } from '../../../support/fake-client.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';
import { route } from '../rules/rules-world.ts';

function meshOfTwo(): ModelMesh {
  const mesh = new ModelMesh();
  for (const service of ['a', 'b']) mesh.put(instanceOf(service, `${service}-1`));
  return mesh;
}

describe('property: the stream of a foreign client', () => {
  for (const protocol of ['sotw', 'delta'] as const) {
    it(`comes to rest with what the cache has (${protocol})`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
          const mesh = meshOfTwo();
          const client = new FakeClient(mesh, protocol, false);
          client.isPrompt = false;
          for (const one of steps) perform(one, mesh, client, protocol);
          settle(client);
          expect(heldOf(client, mesh, protocol)).to.deep.equal(wantedOf(client, mesh));
          expect([...client.heldServices.keys()].sort()).to.deep.equal(ownersOf(client));
        }),
        { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 150) },
      );
    });

    it(`says that all is applied when all is answered and nothing refused (${protocol})`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
          const mesh = meshOfTwo();
          const client = new FakeClient(mesh, protocol, false);
          client.isPrompt = false;
          client.ask('cluster', '*');
          const accepted = steps.filter(({ is }) => is !== 'nack');
          for (const one of accepted) perform(one, mesh, client, protocol);
          // Who asks for nothing has nothing to apply.
          client.ask('cluster', '*');
          settle(client);
          expect(client.applied.at(-1)).to.deep.equal({
            revision: mesh.cache.revision,
            sequence: mesh.cache.sequence,
          });
        }),
        { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 150) },
      );
    });
  }
});

const services = ['a', 'b', 'c'] as const;
const someTypes = ['cluster', 'endpoint', 'routeConfiguration'] as const;
type SomeType = (typeof someTypes)[number];

const service = fc.constantFrom(...services);
const subset = fc.constantFrom('v1', 'v2');
const someType = fc.constantFrom(...someTypes);
const someNames = fc.subarray(['*', 'a', 'b', 'c', 'a v1', 'a v2', 'b v1']);
const index = fc.nat(5);

const step = fc.oneof(
  fc.record({ is: fc.constant('subscribe' as const), type: someType, names: someNames }),
  fc.record({ is: fc.constant('unsubscribe' as const), type: someType, names: someNames }),
  fc.record({ is: fc.constant('put' as const), service, id: fc.nat(2) }),
  fc.record({ is: fc.constant('remove' as const), service, id: fc.nat(2) }),
  fc.record({ is: fc.constant('route' as const), service, subset }),
  fc.record({ is: fc.constant('unroute' as const), service }),
  fc.record({ is: fc.constant('ack' as const), index }),
  fc.record({ is: fc.constant('nack' as const), index }),
  fc.record({ is: fc.constant('overdue' as const) }),
  fc.record({ is: fc.constant('reconnect' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function nameIn(type: SomeType, short: string): string {
  const [name = '', ofSubset = ''] = short.split(' ');
  if (name === '*') return '*';
  return type === 'routeConfiguration' ? `${name}.default:80` : `${name}.default|http|${ofSubset}`;
}

function perform(one: Step, mesh: ModelMesh, client: FakeClient, protocol: Protocol): void {
  switch (one.is) {
    case 'subscribe':
    case 'unsubscribe': {
      // State of the world has no wildcard of endpoints and routes; nobody asks for the same name twice at once.
      const names = [...new Set(one.names.map((short) => nameIn(one.type, short)))].filter(
        (name) => name !== '*' || one.type === 'cluster',
      );
      if (protocol === 'sotw' || one.is === 'subscribe') client.ask(one.type, ...names);
      else client.unsubscribe(one.type, ...names);
      break;
    }
    case 'put':
      mesh.put(instanceOf(one.service, `${one.service}-${one.id}`));
      break;
    case 'remove':
      mesh.remove(one.service, `${one.service}-${one.id}`);
      break;
    case 'route':
      mesh.apply(route(one.service, `{ subset: ${one.subset} }`));
      break;
    case 'unroute':
      mesh.apply('', `Route/default/${one.service}`);
      break;
    case 'ack':
      client.answer(one.index);
      break;
    case 'nack':
      client.answer(one.index, { message: 'no', resources: [] });
      break;
    case 'overdue':
      client.overdue();
      break;
    case 'reconnect':
      client.reconnect();
      break;
  }
}

/** Answers everything. What it does not ask for is no longer waited for in the end. */
function settle(client: FakeClient): void {
  for (let rounds = 0; client.pending.length > 0 || client.session.holdsFor !== undefined; rounds++) {
    expect(rounds).to.be.below(1_000);
    if (client.pending.length > 0) client.answer(0);
    else client.overdue();
  }
}

/** What the client wants of the cache, as "type name" -> version. */
function wantedOf(client: FakeClient, { view }: ModelMesh): Record<string, string> {
  const wanted = someTypes.flatMap((type) =>
    [...view.resources(typeUrls[type])]
      .filter(({ name }) => client.wants(type, name))
      .map(({ name, version }) => [`${type} ${name}`, version] as const),
  );
  return Object.fromEntries(wanted.sort());
}

/** What the client has of that: state of the world does not say that endpoints and routes are gone. */
function heldOf(client: FakeClient, { view }: ModelMesh, protocol: Protocol): Record<string, string> {
  const held = someTypes.flatMap((type) =>
    client
      .holds(type)
      .filter((name) => client.wants(type, name))
      .filter((name) => protocol === 'delta' || type === 'cluster' || view.resource(typeUrls[type], name))
      .map((name) => [`${type} ${name}`, client.held.get(`${type} ${name}`) ?? ''] as const),
  );
  return Object.fromEntries(held.sort());
}

function ownersOf(client: FakeClient): string[] {
  const all = someTypes.flatMap((type) => client.namesOf(type).map((name) => ownerOf(typeUrls[type], name)));
  return [...new Set(all)].sort();
}
