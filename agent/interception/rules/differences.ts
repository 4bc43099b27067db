/** What is there beside what should be, in words: a rule that is missing, one that is too many, or another order. Pure. */

/** Lines by chain; a chain that is not there is absent. */
export type Lines = ReadonlyMap<string, readonly string[]>;

/** Empty when both say the same. */
export function compareLines(wanted: Lines, there: Lines): string[] {
  const names = [...new Set([...wanted.keys(), ...there.keys()])];
  return names.flatMap((name) => {
    const [should, is] = [wanted.get(name), there.get(name)];
    if (should === undefined) return [`${name}: should not be there`];
    if (is === undefined) return [`${name}: is missing`];
    const missing = without(should, is).map((line) => `${name}: missing: ${line}`);
    const excess = without(is, should).map((line) => `${name}: unexpected: ${line}`);
    const isOtherOrder = missing.length + excess.length === 0 && should.some((line, at) => line !== is[at]);
    return [...missing, ...excess, ...(isOtherOrder ? [`${name}: the rules are in another order`] : [])];
  });
}

/** Counts: of two equal lines one may be missing. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
