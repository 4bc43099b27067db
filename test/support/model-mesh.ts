/** A mesh without sockets: documents and instances in, snapshots out, by the real compiler and rebuild loop. */
import { parseDocuments } from '../../model/document.ts';
import { type Resource, resourceKey } from '../../model/resource.ts';
import type { ResourceChange } from '../../model/revision.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import type { InstanceRecord } from '../../server/registry/instance.ts';
import { RuleIndex } from '../../server/rules/rule-index.ts';
import type { ClientView } from '../../server/snapshot/client-view.ts';
import { RebuildLoop } from '../../server/snapshot/rebuild-loop.ts';
import { SnapshotCache, type SnapshotChange } from '../../server/snapshot/snapshot-cache.ts';
import { WholeView } from './whole-view.ts';

export const meshId = 'mesh-1';

export function instanceOf(service: string, id: string, more: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    namespace: 'default',
    service,
    id,
    address: '127.0.0.1',
    ports: { '': 9000 + [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) },
    labels: { version: 'v1' },
    weight: 1,
    zone: '',
    source: 'agent',
    ttlMs: 30_000,
    state: 'passing',
    ...more,
  };
}

export class ModelMesh {
  readonly cache: SnapshotCache;
  /** All services, as any client that is not ours gets them. */
  readonly view: ClientView;
  readonly #rules = new RuleIndex();
  readonly #instances = new Map<string, InstanceRecord>();
  readonly #rebuild: RebuildLoop;
  readonly #listeners = new Set<(change: SnapshotChange, isRevision: boolean) => void>();
  readonly heldServices = new Set<string>();
  /** Clusters that a revision takes away are served until `removeRetired`. */
  keepsRetired = false;
  #revision = 0;
  #isRevision = false;

  constructor() {
    this.cache = new SnapshotCache(meshId, (change) => {
      for (const listener of this.#listeners) listener(change, this.#isRevision);
    });
    this.view = new WholeView(this.cache, 'envoy', [
      typeUrls.cluster,
      typeUrls.endpoint,
      typeUrls.listener,
      typeUrls.routeConfiguration,
    ]);
    this.#rebuild = new RebuildLoop(
      {
        service: (key) => this.#rules.service(key),
        ports: (key) => this.#rules.ports(key),
        routes: (key) => this.#rules.routes(key),
        policies: (key) => this.#rules.policies(key),
        virtualIps: () => [],
        namedSubsets: (key) => this.#rules.namedSubsets(key),
        isNamed: (key) => this.#rules.isNamed(key),
        isAlias: (key) => this.#rules.aliasOwner(key) !== undefined,
        instances: (key) =>
          [...this.#instances.values()].filter(({ service, namespace }) => `${service}.${namespace}` === key),
        isHeld: (key) => this.heldServices.has(key),
      },
      this.cache,
      'mesh.local',
      // Each change by itself: nothing is merged.
      (run) => run(),
    );
  }

  onChange(listener: (change: SnapshotChange, isRevision: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get revision(): number {
    return this.#revision;
  }

  /** One revision that puts these documents (YAML) and deletes the resources of these keys. */
  removeRetired(): void {
    this.#rebuild.remove(this.#revision);
  }

  apply(text: string, ...removed: string[]): number {
    const { resources, problems } = parseDocuments([{ name: 'test.yaml', text }]);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    return this.revise([
      ...resources.map(({ resource }) => this.#change(resourceKey(resource), resource)),
      ...removed.map((key) => this.#change(key, null)),
    ]);
  }

  revise(changes: readonly ResourceChange[]): number {
    this.#revision++;
    const services = this.#rules.advance(changes, this.#revision);
    this.#isRevision = true;
    this.#rebuild.onRevision(services, this.#revision);
    if (!this.keepsRetired) this.removeRetired();
    this.#isRevision = false;
    return this.#revision;
  }

  /** Goes on above this revision, as a restored store does. */
  skipTo(revision: number): void {
    this.#revision = revision;
    this.cache.commit([], revision);
  }

  put(...instances: InstanceRecord[]): void {
    for (const instance of instances) {
      this.#instances.set(`${instance.service}/${instance.id}`, instance);
      this.#rebuild.onInstance(`${instance.service}.${instance.namespace}`);
    }
  }

  remove(service: string, id: string): void {
    this.#instances.delete(`${service}/${id}`);
    this.#rebuild.onInstance(`${service}.default`);
  }

  #change(key: string, after: Resource | null): ResourceChange {
    const [kind, namespace = '', name = ''] = key.split('/');
    if (kind !== 'Route' && kind !== 'Service' && kind !== 'TrafficPolicy') throw new Error(`no key: ${key}`);
    const before = this.#rules.get({ kind, namespace, name })?.resource ?? null;
    return { kind, namespace, name, action: after ? (before ? 'updated' : 'created') : 'deleted', before, after };
  }
}
