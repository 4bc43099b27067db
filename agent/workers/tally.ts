/** Numbers in lists and records of any depth, as statistics are: added up without a look at what they mean. Pure. */

type Tally = number | readonly Tally[] | { readonly [name: string]: Tally };

/** Number by number; what stands in one of them alone is taken as it is. Throws when there is something else than numbers. */
export function addUp<T extends object>(first: T, others: readonly T[]): T {
  const sum = others.reduce<Tally>((one, other) => sumOf(one, tallyOf(other)), tallyOf(first));
  // Of the shape of what it was made of, for which there is no type.
  return sum as T;
}

/** What tells of now; all other numbers count since the start. */
const ofNow: ReadonlySet<string> = new Set(['active', 'openConnections']);

/** As it is when its process has ended: nothing of it is under way any more. */
export function withoutActive<T extends object>(tally: T): T {
  // As above.
  return withZeroes(tallyOf(tally), false) as T;
}

export function isTally(value: unknown): value is Tally {
  if (typeof value === 'number') return true;
  if (typeof value !== 'object' || value === null) return false;
  return (Array.isArray(value) ? value : Object.values(value)).every(isTally);
}

function tallyOf(value: object): Tally {
  if (!isTally(value)) throw new TypeError('there is more than numbers to add up');
  return value;
}

function sumOf(one: Tally, other: Tally): Tally {
  if (typeof one === 'number' && typeof other === 'number') return one + other;
  if (isList(one) && isList(other)) {
    return Array.from({ length: Math.max(one.length, other.length) }, (_, index) => either(one[index], other[index]));
  }
  const sum = new Map<string, Tally>();
  for (const [name, value] of [...entriesOf(one), ...entriesOf(other)]) sum.set(name, either(value, sum.get(name)));
  return Object.fromEntries(sum);
}

/** One of them is there. */
function either(one: Tally | undefined, other: Tally | undefined): Tally {
  return one !== undefined && other !== undefined ? sumOf(other, one) : (one ?? other ?? 0);
}

function withZeroes(tally: Tally, isOfNow: boolean): Tally {
  if (typeof tally === 'number') return isOfNow ? 0 : tally;
  if (isList(tally)) return tally.map((value) => withZeroes(value, isOfNow));
  const entries = entriesOf(tally).map(([name, value]) => [name, withZeroes(value, isOfNow || ofNow.has(name))]);
  return Object.fromEntries(entries);
}

function entriesOf(tally: Tally): [string, Tally][] {
  return typeof tally === 'number' || isList(tally) ? [] : Object.entries(tally);
}

function isList(tally: Tally): tally is readonly Tally[] {
  return Array.isArray(tally);
}
