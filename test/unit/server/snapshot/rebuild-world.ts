/** A rebuild loop over rules and instances that a test changes, with the turns of the event loop in its hands. */
import { parseDocuments } from '../../../../model/document.ts';
import { type Resource, resourceKey } from '../../../../model/resource.ts';
import type { ResourceChange } from '../../../../model/revision.ts';
import { typeUrls } from '../../../../proto/type-urls.ts';
import type { InstanceRecord } from '../../../../server/registry/instance.ts';
import { RuleIndex } from '../../../../server/rules/rule-index.ts';
import { RebuildLoop } from '../../../../server/snapshot/rebuild-loop.ts';
import { resourcesOf } from '../../../../server/snapshot/service-snapshot.ts';
import { SnapshotCache, type SnapshotChange } from '../../../../server/snapshot/snapshot-cache.ts';
import { instance } from '../registry/registry-world.ts';

export class RebuildWorld {
  readonly cache: SnapshotCache;
  readonly loop: RebuildLoop;
  /** "1: reviews.default" or, when only endpoints differ, "1: reviews.default*". */
  readonly told: string[] = [];
  /** Services that somebody holds. */
  readonly held = new Set<string>();
  /** Called whenever something is told. */
  onChange: (change: SnapshotChange) => void = () => {};
  readonly virtualIps = new Map<string, readonly string[]>();
  readonly #rules = new RuleIndex();
  readonly #instances = new Map<string, InstanceRecord>();
  #deferred: (() => void)[] = [];

  constructor() {
    this.cache = new SnapshotCache('mesh-1', (change) => {
      const services = change.services.map(({ key, isRuleChange }) => key + (isRuleChange ? '' : '*'));
      this.told.push(`${change.revision}: ${services.join(' ')}`.trim());
      this.onChange(change);
    });
    const rules = this.#rules;
    this.loop = new RebuildLoop(
      {
        service: (key) => rules.service(key),
        ports: (key) => rules.ports(key),
        routes: (key) => rules.routes(key),
        policies: (key) => rules.policies(key),
        virtualIps: (key) => this.virtualIps.get(key) ?? [],
        namedSubsets: (key) => rules.namedSubsets(key),
        isNamed: (key) => rules.isNamed(key),
        isAlias: (key) => rules.aliasOwner(key) !== undefined,
        instances: (key) => [...this.#instances.values()].filter((each) => `${each.service}.${each.namespace}` === key),
        isHeld: (key) => this.held.has(key),
      },
      this.cache,
      'mesh.local',
      (run) => this.#deferred.push(run),
    );
  }

  /** All that was put off happens, and what that puts off in turn. */
  turn(): void {
    while (this.#deferred.length > 0) {
      const due = this.#deferred;
      this.#deferred = [];
      for (const run of due) run();
    }
  }

  /** One revision; `removed` are keys of documents. */
  apply(text: string, ...removed: string[]): void {
    const { resources, problems } = parseDocuments([{ name: 'test.yaml', text }]);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    const standing = new Map([...this.#rules.all()].map(({ resource }) => [resourceKey(resource), resource]));
    const put = resources.map(({ resource }) => changeOf(standing.get(resourceKey(resource)), resource));
    const gone = removed.map((key) => changeOf(standing.get(key), undefined));
    const revision = this.cache.revision + 1;
    this.loop.onRevision(this.#rules.advance([...put, ...gone], revision), revision);
  }

  put(service: string, id: string, more: Partial<InstanceRecord> = {}): void {
    this.#instances.set(`${service}/${id}`, instance(id, { service, ...more }));
    this.loop.onInstance(`${service}.default`);
  }

  remove(service: string, id: string): void {
    this.#instances.delete(`${service}/${id}`);
    this.loop.onInstance(`${service}.default`);
  }

  /** Nobody holds the service any more. */
  release(service: string): void {
    this.held.delete(service);
    this.loop.onRelease();
  }

  /** Names of its route configurations; undefined when there is no such service. */
  routes(service: string): readonly string[] | undefined {
    const snapshot = this.cache.service(service);
    return snapshot && resourcesOf(snapshot, typeUrls.routeConfiguration).map(({ name }) => name);
  }
}

function changeOf(before: Resource | undefined, after: Resource | undefined): ResourceChange {
  const named = after ?? before;
  if (!named) throw new Error('there is no such document');
  const { kind, metadata } = named;
  const action = after ? (before ? 'updated' : 'created') : 'deleted';
  const id = { kind, namespace: metadata.namespace, name: metadata.name };
  return { ...id, action, before: before ?? null, after: after ?? null };
}
