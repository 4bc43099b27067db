/** Whether a client wants to be told of a problem in JSON (RFC 9457) rather than in text, by its Accept header. */

/**
 * JSON has to be asked for by name, and text not to be liked better: a client that takes anything, like curl, or that shows
 * what it gets to people, like a browser, is told in text.
 */
export function isProblemPreferred(accept: string | undefined): boolean {
  if (accept === undefined || !/application/i.test(accept)) return false;
  const ranges = accept.split(',').map(parseRange);
  const json = qualityOf(ranges, jsonTypes);
  return json > 0 && json >= qualityOf(ranges, textTypes);
}

const jsonTypes: ReadonlySet<string> = new Set(['application/problem+json', 'application/json', 'application/*']);
const textTypes: ReadonlySet<string> = new Set(['text/plain', 'text/html', 'text/*']);

interface MediaRange {
  readonly type: string;
  /** 0 to 1. */
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  const quality = weight === undefined ? 1 : Number(weight.slice('q='.length));
  return { type, quality: Number.isFinite(quality) ? quality : 0 };
}

/** The best of those that are named; 0 when none is. */
function qualityOf(ranges: readonly MediaRange[], types: ReadonlySet<string>): number {
  return Math.max(0, ...ranges.map(({ type, quality }) => (types.has(type) ? quality : 0)));
}
