/** Offsets in a text as lines and columns, as editors count them. */

export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
}

/** Reads the text once; each question afterwards is a binary search. Offsets outside the text are brought inside. */
export function createLineIndex(text: string): (offset: number) => Place {
  const starts = [0];
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
  // A line feed at the very end does not begin a line that anybody sees: the end is where it stands.
  const last = text.endsWith('\n') ? text.length - 1 : text.length;

  return (offset) => {
    const inside = Math.max(0, Math.min(offset, last));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= inside) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: inside - (starts[low] ?? 0) + 1 };
  };
}
