/**
 * Values that are part of the format but not in effect yet. A document that uses one is refused: a rule that looks
 * active and does nothing is worse than an error. Whoever puts a value into effect adds it here.
 */
import type { Fault } from './parse.ts';
import type { Path } from './problem.ts';
import type { Kind } from './resource.ts';
import { fieldOf } from './unique.ts';

export interface NotYet {
  readonly kind: Kind;
  /** Fields from the top, `*` for every item of a list. */
  readonly path: string;
  /** The values that are in effect. */
  readonly inEffect: readonly string[];
}

export const notYet: readonly NotYet[] = [
  { kind: 'Service', path: 'spec.hops', inEffect: ['both'] },
  { kind: 'Service', path: 'spec.instanceAddress', inEffect: ['balance'] },
];

/** A fault for every value that is not in effect, in a document as it was written. */
export function findNotYet(kind: Kind, document: unknown): Fault[] {
  return notYet
    .filter((entry) => entry.kind === kind)
    .flatMap(({ path, inEffect }) =>
      valuesAt(document, path.split('.'))
        .filter(({ value }) => typeof value !== 'string' || !inEffect.includes(value))
        .map((found) => ({ path: found.path, message: `not supported yet; use ${inEffect.join(' or ')}` })),
    );
}

interface Found {
  readonly path: Path;
  readonly value: unknown;
}

/** Every value that the pattern leads to; nothing where the document does not go that way. */
function valuesAt(document: unknown, pattern: readonly string[]): Found[] {
  return pattern.reduce<Found[]>(
    (found, step) => found.flatMap(({ path, value }) => (step === '*' ? items(path, value) : field(path, value, step))),
    [{ path: [], value: document }],
  );
}

function items(path: Path, list: unknown): Found[] {
  return Array.isArray(list) ? list.map((value: unknown, index) => ({ path: [...path, index], value })) : [];
}

function field(path: Path, map: unknown, name: string): Found[] {
  const value = fieldOf(map, name);
  return value === undefined ? [] : [{ path: [...path, name], value }];
}
