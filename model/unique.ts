/**
 * Checks over a list that run even when some of its items are faulty, so that all faults come at once.
 * They therefore see items as unknown values and skip what they cannot read.
 */
import type { z } from 'zod';
import { quote } from './problem.ts';

/** Run a check of zod although the value beneath has faults of its own (unless one is marked `abort`: mark none). */
export const always = { when: () => true };
/** The same for a check over a map's fields: run unless the value is no map at all. */
export const onAnyMap = { when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null };

/** Refuses the second item for which `keyOf` gives the same text; `keyOf` may name the field that is to blame. */
export function unique<Item>(noun: string, keyOf: (item: unknown) => string | undefined, field?: string) {
  return (items: Item[], context: z.core.$RefinementCtx<Item[]>): void => {
    if (!Array.isArray(items)) return;
    const firstAt = new Map<string, number>();
    items.forEach((item, index) => {
      const key = keyOf(item);
      if (key === undefined) return;
      const first = firstAt.get(key);
      if (first === undefined) {
        firstAt.set(key, index);
        return;
      }
      context.addIssue({
        code: 'custom',
        path: field === undefined ? [index] : [index, field],
        message: `${noun} ${quote(key)} stands here a second time; first at [${first}]`,
      });
    });
  };
}

/** The field of something that may not even be a map. */
export function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, field)
    ? Reflect.get(value, field)
    : undefined;
}

/** The field if it is text or a number, as text: good for comparing. */
export function keyField(field: string): (item: unknown) => string | undefined {
  return (item) => {
    const value = fieldOf(item, field);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
}

/** Text itself, whatever its case. */
export function lowerCased(item: unknown): string | undefined {
  return typeof item === 'string' ? item.toLowerCase() : undefined;
}
