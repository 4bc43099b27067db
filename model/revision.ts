/** Revisions: what an accepted change of the rules did, as history keeps it and REST tells it. */
import type { Resource, ResourceId } from './resource.ts';

export type ChangeAction = 'created' | 'updated' | 'deleted';

/** What one revision did to one document. */
export interface ResourceChange extends ResourceId {
  readonly action: ChangeAction;
  readonly before: Resource | null;
  readonly after: Resource | null;
}

/** An accepted change of the rules. Numbers rise; `--continue-from` may leave a hole. */
export interface RevisionRecord {
  readonly revision: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly by: string;
  readonly message: string;
  readonly changes: readonly ResourceChange[];
}

/** A document as it stands now, with the revision that last changed it: its ETag. */
export interface StoredResource {
  readonly resource: Resource;
  readonly revision: number;
}
