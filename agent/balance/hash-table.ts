/**
 * What the policies that go by a hash have in common: a table from hashes to instances. It is the same in every agent that
 * knows the same instances, in whatever order it was told of them.
 */
import type { Candidate } from './balancer.ts';

export interface HashTable {
  /** The place in the table where a hash, 0 to 2^53-1, belongs. */
  find(hash: number): number;
  /** Where to look when the instances at `place` and the `step` places before it cannot be asked. */
  next(hash: number, place: number, step: number): number;
  /** The instance at a place, as an index. */
  instanceAt(place: number): number;
}

/** Keys differ and are sorted; weights go by place in them. At least one. */
export type CreateHashTable = (keys: readonly string[], weights: readonly number[]) => HashTable;

/**
 * The instances of a cluster in the order of their keys, and their table. It is built when it is first asked for: most
 * clusters that an agent knows it never asks.
 */
export class HashedMembers<C extends Candidate> {
  readonly members: readonly C[];
  readonly #create: CreateHashTable;
  #table: HashTable | undefined;

  /** Takes over the table of `previous` when it has the same instances with the same weights: its build takes a while. */
  constructor(create: CreateHashTable, candidates: readonly C[], previous?: HashedMembers<C>) {
    this.#create = create;
    // By code units: the order must not depend on where the agent runs.
    this.members = [...candidates].sort((a, b) => (a.hashKey < b.hashKey ? -1 : 1));
    if (previous === undefined || previous.#create !== create) return;
    if (sameShares(previous.members, this.members)) this.#table = previous.#table;
  }

  get table(): HashTable {
    this.#table ??= this.#create(
      this.members.map(({ hashKey }) => hashKey),
      this.members.map(({ weight }) => weight),
    );
    return this.#table;
  }
}

function sameShares(one: readonly Candidate[], other: readonly Candidate[]): boolean {
  if (one.length !== other.length) return false;
  return one.every(({ hashKey, weight }, index) => hashKey === other[index]?.hashKey && weight === other[index].weight);
}
