import { expect } from 'chai';
import fc from 'fast-check';
import { findConflicts } from '../../../../model/conflicts.ts';
import { type Resource, resourceKey } from '../../../../model/resource.ts';
import type { ResourceChange } from '../../../../model/revision.ts';
import { typeUrls } from '../../../../proto/type-urls.ts';
import type { InstanceRecord } from '../../../../server/registry/instance.ts';
import { servicesOf } from '../../../../server/rules/rule-index.ts';
import { haveSameRules } from '../../../../server/snapshot/service-snapshot.ts';
import { clustersOf } from '../../../support/fake-agent.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';
import { arbitraryResource } from '../../model/arbitraries.ts';

const numRuns = Number(process.env.SLUICE_FUZZ_RUNS ?? 150);

/** Resources that could all be in force together. */
const rules = fc.uniqueArray(arbitraryResource, { maxLength: 6, selector: resourceKey }).map((list) => {
  const kept: Resource[] = [];
  for (const resource of list) if (findConflicts([...kept, resource]).length === 0) kept.push(resource);
  return kept;
});

const instances = fc
  .uniqueArray(
    fc.record({
      service: fc.constantFrom('reviews', 'ratings', 'details'),
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      version: fc.constantFrom('v1', 'v2'),
      zone: fc.constantFrom('', 'east', 'west'),
      state: fc.constantFrom('starting', 'passing', 'failing', 'draining', 'lost'),
      weight: fc.integer({ min: 1, max: 5 }),
      port: fc.constantFrom(8080, 8081),
    }),
    { maxLength: 8, selector: ({ service, id }) => `${service}/${id}` },
  )
  .map((list) =>
    list.map(({ service, id, version, port, ...more }) =>
      instanceOf(service, id, { ...more, labels: { version }, ports: { '': port } }),
    ),
  );

const created = (resource: Resource): ResourceChange => ({
  kind: resource.kind,
  namespace: resource.metadata.namespace,
  name: resource.metadata.name,
  action: 'created',
  before: null,
  after: resource,
});

const deleted = (resource: Resource): ResourceChange => ({
  ...created(resource),
  action: 'deleted',
  before: resource,
  after: null,
});

function meshOf(resources: readonly Resource[], records: readonly InstanceRecord[]): ModelMesh {
  const mesh = new ModelMesh();
  for (const record of records) mesh.put(record);
  if (resources.length > 0) mesh.revise(resources.map(created));
  return mesh;
}

/** Every resource that is served, as "type name version", sorted. */
function served({ cache }: ModelMesh): string[] {
  const all = [...cache.services()].flatMap(({ resources }) =>
    [...resources].flatMap(([typeUrl, named]) =>
      [...named.values()].map(({ name, version }) => `${typeUrl} ${name} ${version}`),
    ),
  );
  return all.sort();
}

describe('compiling', () => {
  it('property: the same state gives the same bytes, in whatever order it came', () => {
    fc.assert(
      fc.property(rules, instances, fc.infiniteStream(fc.nat()), (resources, records, order) => {
        const shuffled = <T>(list: readonly T[]) =>
          list
            .map((item) => ({ item, place: order.next().value }))
            .sort((a, b) => a.place - b.place)
            .map(({ item }) => item);
        const straight = meshOf(resources, records);
        const other = new ModelMesh();
        for (const resource of shuffled(resources)) other.revise([created(resource)]);
        for (const record of shuffled(records)) other.put(record);
        expect(served(other)).to.deep.equal(served(straight));
      }),
      { numRuns },
    );
  });

  it('property: what is built step by step is what would be built from scratch', () => {
    fc.assert(
      fc.property(rules, rules, instances, instances, (first, second, before, after) => {
        const mesh = meshOf(first, before);
        for (const record of before) mesh.remove(record.service, record.id);
        for (const record of after) mesh.put(record);
        if (first.length > 0) mesh.revise(first.map(deleted));
        if (second.length > 0) mesh.revise(second.map(created));
        expect(served(mesh)).to.deep.equal(served(meshOf(second, after)));
      }),
      { numRuns },
    );
  });

  it('property: every cluster that a route names is there, with its endpoints', () => {
    fc.assert(
      fc.property(rules, instances, (resources, records) => {
        const { cache } = meshOf(resources, records);
        for (const { bytes } of cache.resources(typeUrls.routeConfiguration)) {
          for (const cluster of clustersOf(bytes)) {
            expect(cache.resource(typeUrls.cluster, cluster), cluster).to.not.equal(undefined);
            expect(cache.resource(typeUrls.endpoint, cluster), cluster).to.not.equal(undefined);
          }
        }
      }),
      { numRuns },
    );
  });

  it('property: a change touches no service that it does not speak of, and an instance only the endpoints of its own', () => {
    fc.assert(
      fc.property(rules, instances, arbitraryResource, (resources, records, next) => {
        if (resources.some((resource) => resourceKey(resource) === resourceKey(next))) return;
        if (findConflicts([...resources, next]).length > 0) return;
        const mesh = meshOf(resources, records);
        const before = new Map([...mesh.cache.services()].map((snapshot) => [snapshot.key, snapshot]));
        mesh.revise([created(next)]);
        // Whoever sends to a service reads its ports.
        const senders = resources.filter((resource) =>
          servicesOf(resource).some((key) => servicesOf(next).includes(key)),
        );
        const concerned = new Set([next, ...senders].flatMap(servicesOf));
        for (const [key, snapshot] of before) {
          if (!concerned.has(key)) expect(mesh.cache.service(key), key).to.equal(snapshot);
        }
        const revised = new Map([...mesh.cache.services()].map((snapshot) => [snapshot.key, snapshot]));
        if (!revised.has('reviews.default')) return;
        mesh.put(instanceOf('reviews', 'new'));
        for (const [key, snapshot] of revised) {
          const now = mesh.cache.service(key);
          if (key !== 'reviews.default') expect(now, key).to.equal(snapshot);
          else expect(now && haveSameRules(now, snapshot), 'all but its endpoints is shared').to.equal(true);
        }
      }),
      { numRuns },
    );
  });
});
