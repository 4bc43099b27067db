/** Which known word a misspelt one was probably meant to be. */

/** The nearest known word, or undefined when none is near: at most two slips, and never most of the word. */
export function closest(word: string, known: readonly string[]): string | undefined {
  // No field or kind is longer; comparing a megabyte of garbage letter by letter helps nobody.
  if (word.length > 40) return undefined;
  const [best] = known
    .map((candidate) => ({ candidate, slips: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, slips }) => slips <= Math.min(2, candidate.length / 3))
    .sort((a, b) => a.slips - b.slips);
  return best?.candidate;
}

/** How many letters have to be inserted, removed or replaced, or neighbours swapped, to get from one to the other. */
function distance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(last, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const swapped =
        from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
          ? at(beforeLast, column - 2) + 1
          : Number.POSITIVE_INFINITY;
      current.push(Math.min(at(last, column) + 1, at(current, column - 1) + 1, replaced, swapped));
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
