/** Kinds of settings that flags and variables (text) and the config file (YAML values) can all write. */
import { z } from 'zod';
import { quote } from '../model/problem.ts';

/** A whole number, as text or as a YAML number. */
export function wholeNumber(lowest: number, highest: number) {
  const sentence = `must be a whole number from ${lowest} to ${highest}`;
  const read = (value: unknown) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value);
  return z.preprocess(read, z.number(sentence).int(sentence).min(lowest, sentence).max(highest, sentence));
}

/** From 0 to 100, with fractions, as text or as a YAML number. */
export function percentage() {
  const sentence = 'must be a number from 0 to 100';
  const read = (value: unknown) =>
    typeof value === 'string' && /^\d{1,3}(?:\.\d{1,9})?$/.test(value) ? Number(value) : value;
  return z.preprocess(read, z.number(sentence).min(0, sentence).max(100, sentence));
}

/** Several values: a repeated flag, text with commas, or a YAML list. Empty when not given. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.preprocess(entriesOf, z.array(item)).prefault([]);
}

export interface NamedValuesOptions<Value extends z.ZodType> {
  readonly name: z.ZodType<string>;
  readonly value: Value;
  /** What an entry without `=` means: a value with the name '', or a mistake. */
  readonly nameless: 'accepted' | 'refused';
}

/**
 * Values with names: a repeated flag `NAME=VALUE`, such texts with commas between, a YAML list of them, or a YAML map.
 * A name that is given twice is refused. Empty when not given.
 */
export function namedValues<Value extends z.ZodType>({ name, value, nameless }: NamedValuesOptions<Value>) {
  return z
    .unknown()
    .transform((raw, context): ReadonlyMap<string, z.output<Value>> => {
      const values = new Map<string, z.output<Value>>();
      const refuse = (message: string) => context.addIssue({ code: 'custom', message });
      for (const [key, text] of entriesOf(raw).flatMap(pairsOf)) {
        const parsedValue = value.safeParse(text);
        const parsedName = key === undefined ? undefined : name.safeParse(key);
        for (const issue of parsedName?.error?.issues ?? []) refuse(`the name ${quote(key ?? '')} ${issue.message}`);
        if (key === undefined && nameless === 'refused') refuse(`${quote(String(text))} must be NAME=VALUE`);
        else for (const issue of parsedValue.error?.issues ?? []) refuse(`${quote(String(text))} ${issue.message}`);
        if (values.has(key ?? ''))
          refuse(key === undefined ? 'is given twice without a name' : `${quote(key)} is given twice`);
        if (parsedValue.success) values.set(parsedName?.data ?? '', parsedValue.data);
      }
      return values;
    })
    .prefault([]);
}

function entriesOf(raw: unknown): unknown[] {
  const entries: unknown[] = Array.isArray(raw) ? raw : [raw];
  return entries.flatMap((entry) =>
    typeof entry === 'string' ? entry.split(',').map((part) => part.trim()) : [entry],
  );
}

/** The first `=` divides: names have none. A YAML map is a list of its entries. */
function pairsOf(entry: unknown): [string | undefined, unknown][] {
  if (typeof entry === 'object' && entry !== null) return Object.entries(entry);
  const text = String(entry);
  const at = text.indexOf('=');
  return [at < 0 ? [undefined, text] : [text.slice(0, at), text.slice(at + 1)]];
}
