/** Changes of headers, as Envoy's `headers_to_add` and `headers_to_remove` say them. */
import { HeaderValueOptionHeaderAppendAction as Action, type HeaderValueOption } from '../proto/types.ts';
import { assertHeaderValue, assertToken } from './head-text.ts';
import { UnusableError } from './refusal.ts';

/** Carried out in this order: remove, set, add. Names are in lower case; a name stands in one of the three lists. */
export interface HeaderEdits {
  /** The header gets this one value, whatever there was. */
  readonly set: readonly (readonly [name: string, value: string])[];
  /** One more header line, behind those that there are. */
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** Undefined when nothing is changed. Throws UnusableError on an action or a variable it does not know. */
export function prepareHeaderEdits(
  wire: { readonly add: readonly HeaderValueOption[]; readonly remove: readonly string[] },
  where: string,
): HeaderEdits | undefined {
  if (wire.add.length === 0 && wire.remove.length === 0) return undefined;
  const set: [string, string][] = [];
  const add: [string, string][] = [];
  for (const option of wire.add) {
    const value = plainValue(option.header?.value ?? '', where);
    assertHeaderValue(value, where);
    // As in Envoy: an empty value must be wanted.
    if (value === '' && !option.keepEmptyValue) continue;
    listOf(option, { set, add }, where).push([lowerCased(option.header?.key, where), value]);
  }
  return { set, add, remove: wire.remove.map((name) => lowerCased(name, where)) };
}

/** A value as Envoy wants it in a configuration, where "%" begins a variable. */
export function escapeValue(value: string): string {
  return value.replaceAll('%', '%%');
}

function plainValue(escaped: string, where: string): string {
  const value = escaped.replaceAll('%%', '\0');
  if (value.includes('%')) {
    throw new UnusableError(
      where,
      `the value ${JSON.stringify(escaped)} has a variable, which this agent does not know`,
    );
  }
  return value.replaceAll('\0', '%');
}

function listOf<T>({ appendAction }: HeaderValueOption, lists: { set: T; add: T }, where: string): T {
  switch (appendAction) {
    case Action.OVERWRITE_IF_EXISTS_OR_ADD:
      return lists.set;
    case Action.APPEND_IF_EXISTS_OR_ADD:
      return lists.add;
    default:
      throw new UnusableError(where, 'changes a header in a way that this agent does not know');
  }
}

function lowerCased(name: string | undefined, where: string): string {
  if (name === undefined || name === '') throw new UnusableError(where, 'has a header without a name');
  assertToken(name, where);
  return name.toLowerCase();
}
