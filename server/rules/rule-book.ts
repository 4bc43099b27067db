/**
 * The rules: accepts changes all or nothing, numbers them as revisions, keeps their history. What is in force changes
 * only when the store says so, in the store's order: one way in, whichever server wrote the revision.
 */
import { MeshError } from '../../model/errors.ts';
import type { Problem } from '../../model/problem.ts';
import {
  type Kind,
  parseResourceKey,
  type Resource,
  type ResourceId,
  resourceIdKey,
  resourceKey,
} from '../../model/resource.ts';
import type { ResourceChange, RevisionRecord, StoredResource } from '../../model/revision.ts';
import type { Store } from '../store/store.ts';
import { type PlannedChange, planChange, type Surroundings, type WantedChange } from './plan-change.ts';
import { RuleIndex } from './rule-index.ts';
import { Turns } from './turns.ts';

export interface RuleChange extends WantedChange {
  readonly by: string;
  readonly message: string;
  readonly ifRevision?: number;
  readonly ifResourceRevision?: number;
  readonly dryRun: boolean;
}

export interface RuleChanged {
  readonly revision: number;
  readonly changes: readonly ResourceChange[];
  readonly warnings: readonly Problem[];
}

export interface RuleBookOptions {
  readonly store: Store;
  readonly surroundings: Surroundings;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Called once for each revision, in order, when the documents stand as it left them. */
  readonly onRevision: (record: RevisionRecord, services: readonly string[]) => void;
}

export class RuleBook {
  readonly #options: RuleBookOptions;
  /** Of the changes that this server was asked for. */
  readonly #turns = new Turns();
  #index = new RuleIndex();
  #revision = 0;
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = [];

  constructor(options: RuleBookOptions) {
    this.#options = options;
  }

  get revision(): number {
    return this.#revision;
  }

  /** The documents in force. */
  get index(): RuleIndex {
    return this.#index;
  }

  /** What the store has, at the start or after a gap. */
  restore(revision: number, resources: readonly StoredResource[]): void {
    this.#index = new RuleIndex(resources);
    this.#reach(revision);
  }

  /** A revision that the store has taken, whoever wrote it. To be called in the store's order. */
  onStored(record: RevisionRecord): void {
    const services = this.#index.advance(record.changes, record.revision);
    this.#reach(record.revision);
    this.#options.onRevision(record, services);
  }

  /**
   * One change, all or nothing; resolves when its revision is on the disk and in force here. Changes are judged, conditions
   * included, and committed one after the other in the order of the calls; a dry run waits for none. A change that changes
   * nothing makes no revision. Throws INVALID_DOCUMENTS with every problem, NO_DOCUMENTS, REVISION_CONFLICT,
   * ETAG_CONFLICT, STORE_READ_ONLY.
   */
  async change(change: RuleChange): Promise<RuleChanged> {
    if (change.put.length + change.remove.length === 0) throw new MeshError('NO_DOCUMENTS', []);
    const commit = () => this.#commit(change, () => change, false);
    return change.dryRun ? commit() : this.#turns.take(commit);
  }

  /** Back to how the documents stood at that revision, as a new revision. Throws REVISION_NOT_FOUND. */
  rollback(revision: number, author: { readonly by: string; readonly message: string }): Promise<RuleChanged> {
    const message = author.message || `rollback to revision ${revision}`;
    const request = { put: [], remove: [], by: author.by, message, dryRun: false };
    return this.#turns.take(async () => {
      const target = await this.resourcesAt(revision);
      return this.#commit(request, () => this.#differenceTo(target), true);
    });
  }

  list(kind: Kind): readonly StoredResource[] {
    return this.#index.list(kind);
  }

  get(id: ResourceId): StoredResource | undefined {
    return this.#index.get(id);
  }

  revisionRecord(revision: number): Promise<RevisionRecord | undefined> {
    return this.#options.store.revision(revision);
  }

  revisions(page: { readonly before?: number; readonly limit: number }): Promise<readonly RevisionRecord[]> {
    return this.#options.store.revisions(page);
  }

  /** How the documents stood at that revision, sorted by key: the present ones, walked back. Throws REVISION_NOT_FOUND. */
  async resourcesAt(revision: number): Promise<readonly Resource[]> {
    const isKnown = revision === 0 || (revision <= this.#revision && (await this.revisionRecord(revision)));
    if (!isKnown) throw new MeshError('REVISION_NOT_FOUND', [revision]);
    const standing = new Map([...this.#index.all()].map(({ resource }) => [resourceKey(resource), resource]));
    let before = this.#revision + 1;
    while (before > revision + 1) {
      const page = await this.revisions({ before, limit: 100 });
      if (page.length === 0) break;
      for (const record of page) {
        if (record.revision > revision) undo(record, standing);
        before = record.revision;
      }
    }
    return [...standing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, resource]) => resource);
  }

  async #commit(request: RuleChange, wantedNow: () => WantedChange, isRollback: boolean): Promise<RuleChanged> {
    for (;;) {
      this.#checkConditions(request);
      const wanted = wantedNow();
      const plan = planChange(wanted, this.#index, this.#options.surroundings, isRollback);
      const { changes, problems } = plan;
      if (problems.length > 0) throw MeshError.ofProblems('INVALID_DOCUMENTS', problems);
      if (changes.length === 0) return changed(this.#newestOf(wanted), plan);
      if (request.dryRun) return changed(this.#revision, plan);
      const expected = this.#revision;
      const at = new Date(this.#options.wallClock()).toISOString();
      const record = { revision: expected + 1, at, by: request.by, message: request.message, changes };
      const appended = await this.#options.store.append(record, expected);
      const reached = appended.is === 'appended' ? record.revision : appended.revision;
      await this.#caughtUp(reached);
      if (appended.is === 'appended') return changed(record.revision, plan);
      // Another server was faster, for this one has one change under way at a time: look again at what is in force now.
    }
  }

  #checkConditions({ ifRevision, ifResourceRevision, put, remove }: RuleChange): void {
    if (ifRevision !== undefined && ifRevision !== this.#revision) {
      throw new MeshError('REVISION_CONFLICT', [this.#revision]);
    }
    if (ifResourceRevision === undefined) return;
    const keys = [...put.map(({ resource }) => resourceKey(resource)), ...remove.map(resourceIdKey)];
    for (const key of keys) {
      const now = this.#byKey(key)?.revision ?? 0;
      if (now !== ifResourceRevision) throw new MeshError('ETAG_CONFLICT', [key, now]);
    }
  }

  #byKey(key: string): StoredResource | undefined {
    const id = parseResourceKey(key);
    return id && this.#index.get(id);
  }

  /** The last revision that changed one of these documents: what an apply that changes nothing waits for. */
  #newestOf({ put }: WantedChange): number {
    const revisions = put.map(({ resource }) => this.#byKey(resourceKey(resource))?.revision ?? 0);
    return Math.max(0, ...revisions) || this.#revision;
  }

  #differenceTo(target: readonly Resource[]): WantedChange {
    const wanted = new Map(target.map((resource) => [resourceKey(resource), resource]));
    const present = [...this.#index.all()].map(({ resource }) => resource);
    return {
      put: target.map((resource) => ({ resource, file: '', locate: () => ({ line: 1, column: 1 }) })),
      remove: present
        .filter((resource) => !wanted.has(resourceKey(resource)))
        .map(({ kind, metadata }) => ({ kind, namespace: metadata.namespace, name: metadata.name })),
    };
  }

  #reach(revision: number): void {
    this.#revision = revision;
    const ready = this.#waiting.filter((waiting) => waiting.revision <= revision);
    this.#waiting = this.#waiting.filter((waiting) => waiting.revision > revision);
    for (const { resolve } of ready) resolve();
  }

  /** Resolves when that revision is in force here. */
  #caughtUp(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ revision, resolve }));
  }
}

function changed(revision: number, { changes, warnings, clientWarnings }: PlannedChange): RuleChanged {
  return { revision, changes, warnings: [...warnings, ...clientWarnings()] };
}

function undo(record: RevisionRecord, standing: Map<string, Resource>): void {
  for (const change of record.changes) {
    if (change.before) standing.set(resourceIdKey(change), change.before);
    else standing.delete(resourceIdKey(change));
  }
}
