/** Lists page by page: a cursor names the last item that was seen, so pages stay right while items come and go. */
import { z } from 'zod';

const mark = 'after:';

export const limit = z
  .string()
  .regex(/^(?:[1-9]\d{0,2}|1000)$/, 'must be a whole number from 1 to 1000')
  .prefault('100')
  .transform(Number)
  .meta({ description: 'How many items at most' });

/** Becomes the key of the item after which the page starts. */
export const cursor = z
  .string()
  .max(2000)
  .transform((text, context) => {
    const decoded = Buffer.from(text, 'base64url').toString('utf8');
    if (decoded.startsWith(mark)) return decoded.slice(mark.length);
    context.addIssue({ code: 'custom', message: 'is no cursor: take it from "next" of the page before' });
    return z.NEVER;
  })
  .optional()
  .meta({ description: '`next` of the page before' });

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Null on the last page. */
  readonly next: string | null;
}

export interface PageQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Sorted by key, whatever order the items come in: the cursor compares keys. */
export function pageOf<Item>(items: readonly Item[], keyOf: (item: Item) => string, query: PageQuery): Page<Item> {
  const { limit, cursor = '' } = query;
  const keyed = items.map((item) => ({ key: keyOf(item), item })).filter(({ key }) => key > cursor);
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  const shown = keyed.slice(0, limit);
  const last = shown.at(-1);
  const next = keyed.length > limit && last !== undefined ? cursorOf(last.key) : null;
  return { items: shown.map(({ item }) => item), next };
}

export function cursorOf(key: string): string {
  return Buffer.from(mark + key, 'utf8').toString('base64url');
}
