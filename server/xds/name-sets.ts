/**
 * The names that streams asked for, by type. Streams that asked for the same names share one set, so that a thousand clients of
 * a thousand services cost a thousand names, not a million, and the index of who is concerned has one entry for all of them.
 * A set that one stream alone has is changed in place; one that is shared is left, never changed.
 */
import type { ClientView } from '../snapshot/client-view.ts';

/** Names that equal sets of this size or more are looked up by; smaller ones are not worth a table entry. */
const leastShared = 32;

/** Told which sets speak of a service. */
export interface SetIndex<Member> {
  holdServiceBy(service: string, set: NameSet<Member>): void;
  releaseServiceBy(service: string, set: NameSet<Member>): void;
}

export interface NameSet<Member> {
  readonly names: ReadonlySet<string>;
  readonly members: ReadonlySet<Member>;
  /** Another object whenever the names are others: what was made of them is good as long as it is the same. */
  readonly content: object;
}

/** Sums of two hashes of each name: equal sets have equal sums, in whatever order they came about. */
interface Sum {
  readonly a: number;
  readonly b: number;
}

const nothing: Sum = { a: 0, b: 0 };

class ChangingSet<Member> implements NameSet<Member> {
  readonly names: Set<string>;
  readonly members = new Set<Member>();
  /** Service key -> how many of the names belong to it. */
  readonly owners = new Map<string, number>();
  sum: Sum;
  content = {};
  /** The names as somebody listed them. */
  order: readonly string[] | undefined;

  constructor(names: Set<string>, sum: Sum) {
    this.names = names;
    this.sum = sum;
  }
}

export class NameSets<Member> {
  readonly empty: NameSet<Member> = new ChangingSet<Member>(new Set(), nothing);
  readonly #typeUrl: string;
  readonly #view: Pick<ClientView, 'ownerOf'>;
  readonly #index: SetIndex<Member>;
  /** Large sets by size and sum; no two of them are equal. */
  readonly #shared = new Map<string, ChangingSet<Member>>();
  /** The one that was last asked for as a list. */
  #latest: ChangingSet<Member> | undefined;

  constructor(typeUrl: string, view: Pick<ClientView, 'ownerOf'>, index: SetIndex<Member>) {
    this.#typeUrl = typeUrl;
    this.#view = view;
    this.#index = index;
  }

  /**
   * The set with these changes, which the member has from now on in place of `present`. `added`: names that are not in it, each
   * once; `dropped`: names that are.
   */
  change(
    member: Member,
    present: NameSet<Member>,
    added: readonly string[],
    dropped: readonly string[],
  ): NameSet<Member> {
    if (added.length + dropped.length === 0 || !(present instanceof ChangingSet)) return present;
    const size = present.names.size + added.length - dropped.length;
    if (size === 0) {
      this.leave(member, present);
      return this.empty;
    }
    const sum = changed(present.sum, added, dropped);
    const equal = size < leastShared ? undefined : this.#shared.get(keyOf(size, sum));
    if (equal !== undefined && isChanged(equal.names, present.names, added, dropped)) {
      this.leave(member, present);
      equal.members.add(member);
      return equal;
    }
    return this.#own(member, present, { added, dropped, sum });
  }

  /**
   * The set of these names, for a member that has none yet; undefined when nobody has it. What others asked for before is found
   * without a copy of the names being made. A name that stands twice in the list is no reason to find another set.
   */
  join(member: Member, list: readonly string[]): NameSet<Member> | undefined {
    if (list.length < leastShared) return undefined;
    const equal = this.#inOrder(list) ?? this.#bySum(list);
    equal?.members.add(member);
    return equal;
  }

  /** Most clients ask in the order in which they were told: to compare is cheaper than to add up. */
  #inOrder(list: readonly string[]): ChangingSet<Member> | undefined {
    const latest = this.#latest?.order?.length === list.length ? this.#latest : undefined;
    return latest?.order?.every((name, index) => name === list[index]) ? latest : undefined;
  }

  #bySum(list: readonly string[]): ChangingSet<Member> | undefined {
    const found = this.#shared.get(keyOf(list.length, changed(nothing, list, [])));
    if (found === undefined || !list.every((name) => found.names.has(name))) return undefined;
    found.order = list;
    this.#latest = found;
    return found;
  }

  /** The member no longer has the set. */
  leave(member: Member, set: NameSet<Member>): void {
    if (!(set instanceof ChangingSet) || !set.members.delete(member) || set.members.size > 0) return;
    this.#forget(set);
    for (const owner of set.owners.keys()) this.#index.releaseServiceBy(owner, set);
  }

  /** A set that the member alone has: its present one, or a copy. */
  #own(
    member: Member,
    present: ChangingSet<Member>,
    {
      added,
      dropped,
      sum,
    }: { readonly added: readonly string[]; readonly dropped: readonly string[]; readonly sum: Sum },
  ): NameSet<Member> {
    const isAlone = present.members.size === 1 && present.members.has(member);
    const set = isAlone ? present : new ChangingSet<Member>(new Set(), nothing);
    if (!isAlone) {
      for (const name of present.names) this.#add(set, name);
      this.leave(member, present);
      set.members.add(member);
    }
    this.#forget(set);
    for (const name of added) this.#add(set, name);
    for (const name of dropped) this.#drop(set, name);
    set.sum = sum;
    set.content = {};
    set.order = undefined;
    const key = keyOf(set.names.size, sum);
    if (set.names.size < leastShared || this.#shared.has(key)) return set;
    this.#shared.set(key, set);
    if (added.length === set.names.size) {
      set.order = added;
      this.#latest = set;
    }
    return set;
  }

  #forget(set: ChangingSet<Member>): void {
    const key = keyOf(set.names.size, set.sum);
    if (this.#shared.get(key) === set) this.#shared.delete(key);
    if (this.#latest === set) this.#latest = undefined;
  }

  #add(set: ChangingSet<Member>, name: string): void {
    set.names.add(name);
    const owner = this.#view.ownerOf(this.#typeUrl, name);
    const count = set.owners.get(owner) ?? 0;
    set.owners.set(owner, count + 1);
    if (count === 0) this.#index.holdServiceBy(owner, set);
  }

  #drop(set: ChangingSet<Member>, name: string): void {
    if (!set.names.delete(name)) return;
    const owner = this.#view.ownerOf(this.#typeUrl, name);
    const count = (set.owners.get(owner) ?? 0) - 1;
    if (count > 0) {
      set.owners.set(owner, count);
      return;
    }
    set.owners.delete(owner);
    this.#index.releaseServiceBy(owner, set);
  }
}

function isChanged(
  names: ReadonlySet<string>,
  before: ReadonlySet<string>,
  added: readonly string[],
  dropped: readonly string[],
): boolean {
  if (names.size !== before.size + added.length - dropped.length) return false;
  if (!added.every((name) => names.has(name)) || dropped.some((name) => names.has(name))) return false;
  const gone = new Set(dropped);
  for (const name of before) if (!gone.has(name) && !names.has(name)) return false;
  return true;
}

function keyOf(size: number, { a, b }: Sum): string {
  return `${size} ${a} ${b}`;
}

function changed(sum: Sum, added: readonly string[], dropped: readonly string[]): Sum {
  const total = { ...sum };
  for (const name of added) count(total, name, 1);
  for (const name of dropped) count(total, name, -1);
  return total;
}

/** Two hashes at a time, after FNV-1a. Who makes two sets collide gains nothing: they are compared name by name. */
function count(total: { a: number; b: number }, name: string, sign: 1 | -1): void {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
  }
  total.a = (total.a + sign * (a >>> 0)) >>> 0;
  total.b = (total.b + sign * (b >>> 0)) >>> 0;
}
