/** Rule books on a store in memory, as one server or several have them. */
import { parseDocuments } from '../../../../model/document.ts';
import { MeshError } from '../../../../model/errors.ts';
import { formatProblem } from '../../../../model/problem.ts';
import { kinds, parseResourceKey, type ResourceId, resourceKey } from '../../../../model/resource.ts';
import type { RevisionRecord } from '../../../../model/revision.ts';
import { matches } from '../../../../server/rules/plan-change.ts';
import { RuleBook, type RuleChange, type RuleChanged } from '../../../../server/rules/rule-book.ts';
import { MemoryStore } from '../../../support/memory-store.ts';

export class RulesWorld {
  readonly shared = new MemoryStore();
  /** Service key -> labels of its instances. */
  readonly instances = new Map<string, Record<string, string>[]>();
  /** Service key -> how many agents hold it. */
  readonly subscribers = new Map<string, number>();
  /** What each append waits for before the store sees it: a network need not keep their order. */
  onTheWay: () => Promise<void> = async () => {};
  readonly #watches: { close(): void }[] = [];

  /** A server that has loaded what the store has. `told` collects what it was told of. */
  async open(told: { record: RevisionRecord; services: readonly string[] }[] = []): Promise<RuleBook> {
    const store = this.shared.open();
    const append = store.append.bind(store);
    store.append = async (record, expected) => {
      await this.onTheWay();
      return append(record, expected);
    };
    const book = new RuleBook({
      store,
      surroundings: {
        domain: 'mesh.local',
        hasInstance: (service, labels) => this.instances.get(service)?.some((own) => matches(own, labels)) ?? false,
        subscribers: (service) => this.subscribers.get(service) ?? 0,
        clientProblems: () => [],
      },
      wallClock: () => Date.UTC(2026, 0, 1),
      onRevision: (record, services) => told.push({ record, services }),
    });
    const { cursor, revision, resources } = await store.load();
    book.restore(revision, resources);
    this.#watches.push(store.watch(cursor, (change) => change.is === 'revision' && book.onStored(change.record)));
    return book;
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
  }
}

type Options = Partial<RuleChange> & { readonly delete?: readonly string[] };

/** Applies documents in YAML, from a file "rules.yaml"; `delete` names others by their keys. */
export function apply(
  book: RuleBook,
  text: string,
  { delete: keys = [], ...options }: Options = {},
): Promise<RuleChanged> {
  const { resources, problems } = parseDocuments([{ name: 'rules.yaml', text }]);
  if (problems.length > 0) throw new Error(problems.map(formatProblem).join('\n'));
  const remove = keys.map(idOf);
  return book.change({ put: resources, remove, by: 'ann', message: '', dryRun: false, ...options });
}

/** Why it was refused: the code, then each fault as a person reads it. */
export async function refusal(applied: Promise<unknown>): Promise<readonly string[]> {
  const [result] = await Promise.allSettled([applied]);
  if (result.status === 'fulfilled') return ['it was accepted'];
  const { code, problems } = MeshError.from(result.reason);
  return [code, ...problems.map(formatProblem)];
}

/** Keys of the documents in force, each with the revision that last changed it. */
export function standing(book: RuleBook): Record<string, number> {
  const all = kinds.flatMap((kind) => book.list(kind));
  return Object.fromEntries(all.map(({ resource, revision }) => [resourceKey(resource), revision]));
}

/** "created Route/default/reviews". */
export function changesOf({ changes }: Pick<RuleChanged, 'changes'>): string[] {
  return changes.map(({ action, kind, namespace, name }) => `${action} ${kind}/${namespace}/${name}`);
}

export function idOf(key: string): ResourceId {
  const id = parseResourceKey(key);
  if (!id) throw new Error(`no key: ${key}`);
  return id;
}

export function service(name: string, spec = '{}', labels = '{}'): string {
  return `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: ${name}, labels: ${labels} }
spec: ${spec}
---`;
}

/** A Route of the same name as its service, unless told otherwise. */
export function route(to: string, backends: string, { name = to, more = '' } = {}): string {
  return `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${name} }
spec: { service: ${to}, rules: [ { name: split, backends: [ ${backends} ] } ] ${more} }
---`;
}

export function policy(of: string, { name = of, subset = '' } = {}): string {
  return `
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: ${name} }
spec: { service: ${of}, ${subset === '' ? '' : `subset: ${subset},`} loadBalancer: { policy: least-request } }
---`;
}
