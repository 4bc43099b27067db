import { expect } from 'chai';
import fc from 'fast-check';
import { findConflicts } from '../../../../model/conflicts.ts';
import { type LocatedResource, parseDocuments } from '../../../../model/document.ts';
import { type Resource, resourceKey } from '../../../../model/resource.ts';
import { planChange } from '../../../../server/rules/plan-change.ts';
import { RuleIndex } from '../../../../server/rules/rule-index.ts';

const surroundings = { domain: 'mesh.local', hasInstance: () => false, subscribers: () => 0, clientProblems: () => [] };

const name = fc.constantFrom('a', 'b', 'c', 'd');
const port = fc.constantFrom('http', 'grpc');
const document = fc.oneof(
  fc
    .record({ name, ports: fc.uniqueArray(port, { minLength: 1 }), aliases: fc.uniqueArray(name, { maxLength: 2 }) })
    .map(
      (service) =>
        `kind: Service\nmetadata: { name: ${service.name} }\nspec:\n  ports: [ ${service.ports
          .map((port, index) => `{ name: ${port}, port: ${80 + index} }`)
          .join()} ]\n  aliases: [ ${service.aliases.map((alias) => `${alias}.default`).join()} ]`,
    ),
  fc
    .record({ name, service: name, port: fc.option(port), target: fc.option(name) })
    .map(
      (route) =>
        `kind: Route\nmetadata: { name: ${route.name} }\nspec:\n  allowEmpty: true\n  service: ${route.service}\n${
          route.port === null ? '' : `  port: ${route.port}\n`
        }  rules: [ { backends: [ { ${route.target === null ? 'subset: v1' : `service: ${route.target}`} } ] } ]`,
    ),
  fc
    .record({ name, service: name, subset: fc.boolean(), isHashed: fc.boolean(), hashes: fc.boolean() })
    .map(
      (policy) =>
        `kind: TrafficPolicy\nmetadata: { name: ${policy.name} }\nspec: { service: ${policy.service}${
          policy.subset ? ', subset: v1' : ''
        }${policy.hashes ? ', hashOn: [ { header: x } ]' : ''}${
          policy.isHashed || (policy.hashes && !policy.subset) ? ', loadBalancer: { policy: ring-hash }' : ''
        } }`,
    ),
);

function located(texts: readonly string[]): readonly LocatedResource[] {
  const unique = new Map<string, LocatedResource>();
  for (const text of texts) {
    const { resources } = parseDocuments([{ name: 'a.yaml', text: `apiVersion: sluice.dev/v1\n${text}` }]);
    for (const each of resources) unique.set(resourceKey(each.resource), each);
  }
  return [...unique.values()];
}

describe('what a change would do', () => {
  it('property: contradicts what it contradicts in the whole mesh, though only what is near is looked at', () => {
    const step = fc.record({ put: fc.array(document, { minLength: 1, maxLength: 3 }), removed: fc.option(fc.nat(20)) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
        const index = new RuleIndex();
        let revision = 0;
        for (const { put, removed } of steps) {
          const documents = located(put);
          const standing = [...index.all()].map(({ resource }) => resource);
          const gone = removed === null ? undefined : standing[removed];
          const ids =
            gone && !documents.some(({ resource }) => resourceKey(resource) === resourceKey(gone)) ? [gone] : [];
          const remove = ids.map(({ kind, metadata }) => ({
            kind,
            namespace: metadata.namespace,
            name: metadata.name,
          }));
          const plan = planChange({ put: documents, remove }, index, surroundings, false);
          const wholeConflicts = findConflicts(wholeOf(standing, documents, ids)).map(withoutExample);
          const found = plan.problems.map(withoutExample);
          for (const message of wholeConflicts) expect(found.some((each) => each.endsWith(message))).to.equal(true);
          const others = found.filter((message) => !message.includes('cannot be deleted'));
          expect(others.length).to.equal(wholeConflicts.length);
          if (plan.problems.length === 0) index.advance(plan.changes, ++revision);
        }
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 300) },
    );
  });
});

/** Of several documents that speak of a service any may be named. */
function withoutExample({ message }: { readonly message: string }): string {
  return message.replace(/, see .*$/, '');
}

/** All documents as they would stand, what stands unchanged first. */
function wholeOf(
  standing: readonly Resource[],
  put: readonly LocatedResource[],
  gone: readonly Resource[],
): Resource[] {
  const changed = new Set([...put.map(({ resource }) => resourceKey(resource)), ...gone.map(resourceKey)]);
  const same = (resource: Resource) => standing.some((each) => JSON.stringify(each) === JSON.stringify(resource));
  const unchanged = put.map(({ resource }) => resource).filter(same);
  const kept = standing.filter((each) => !changed.has(resourceKey(each)));
  return [...kept, ...unchanged, ...put.map(({ resource }) => resource).filter((resource) => !same(resource))];
}
