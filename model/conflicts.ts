/** Faults that show only between resources: two that claim the same, or one that names what another does not have. Pure. */
import type { Path } from './problem.ts';
import type { Resource } from './resource.ts';

export interface Conflict {
  /** `resourceKey` of the resource to blame: the later one in the given order. */
  readonly resource: string;
  readonly path: Path;
  /** Names every party. */
  readonly message: string;
  /** `resourceKey`s of the other parties. */
  readonly others: readonly string[];
}

/** All conflicts in a complete set of resources, blaming later resources for what they do to earlier ones. */
export function findConflicts(_resources: readonly Resource[]): Conflict[] {
  return [];
}
