/**
 * Fields that are part of the format but not in effect yet. A document that uses one is refused: a rule that looks
 * active and does nothing is worse than an error. Whoever puts a field into effect deletes its line here.
 */
import type { Fault } from './parse.ts';
import type { Path } from './problem.ts';
import type { Kind } from './resource.ts';
import { fieldOf } from './unique.ts';

export interface NotYet {
  readonly kind: Kind;
  /** Fields from the top, `*` for every item of a list. */
  readonly path: string;
  /** Values that are in effect; without it the field is refused whatever its value. */
  readonly inEffect?: readonly string[];
  /** What happens instead, or what to use meanwhile. */
  readonly meanwhile: string;
}

export const notYet: readonly NotYet[] = [
  { kind: 'Route', path: 'spec.rules.*.retry', meanwhile: 'a request is sent once' },
  { kind: 'Route', path: 'spec.rules.*.mirror', meanwhile: 'no request is copied' },
  { kind: 'Route', path: 'spec.rules.*.fault', meanwhile: 'no fault is injected' },
  { kind: 'Route', path: 'spec.rules.*.headers', meanwhile: 'headers pass as they are' },
  { kind: 'Route', path: 'spec.rules.*.rewrite', meanwhile: 'path and host pass as they are' },
  { kind: 'Route', path: 'spec.rules.*.redirect', meanwhile: 'a rule needs backends' },
  { kind: 'Service', path: 'spec.ports.*.protocol', inEffect: ['http'], meanwhile: 'use http' },
  { kind: 'Service', path: 'spec.hops', inEffect: ['both'], meanwhile: 'use both' },
  { kind: 'Service', path: 'spec.instanceAddress', inEffect: ['balance'], meanwhile: 'use balance' },
  {
    kind: 'TrafficPolicy',
    path: 'spec.loadBalancer.policy',
    inEffect: ['round-robin', 'least-request'],
    meanwhile: 'use round-robin or least-request',
  },
  { kind: 'TrafficPolicy', path: 'spec.hashOn', meanwhile: 'sticky in a Route is in effect' },
  { kind: 'TrafficPolicy', path: 'spec.localityPreference', meanwhile: 'zones are not looked at' },
  { kind: 'TrafficPolicy', path: 'spec.connectionPool.maxConnections', meanwhile: 'there is no limit' },
  { kind: 'TrafficPolicy', path: 'spec.connectionPool.maxPendingRequests', meanwhile: 'there is no limit' },
  { kind: 'TrafficPolicy', path: 'spec.connectionPool.maxRequests', meanwhile: 'there is no limit' },
  { kind: 'TrafficPolicy', path: 'spec.connectionPool.retryBudget', meanwhile: 'no request is sent again' },
  { kind: 'TrafficPolicy', path: 'spec.connectionPool.idleTimeout', meanwhile: 'the agent decides' },
  { kind: 'TrafficPolicy', path: 'spec.outlierDetection', meanwhile: 'no instance is ejected' },
  { kind: 'TrafficPolicy', path: 'spec.healthCheck', meanwhile: "each agent checks its own application's health" },
];

/** A fault for every use of a field that is not in effect, in a document as it was written. */
export function findNotYet(kind: Kind, document: unknown): Fault[] {
  return notYet
    .filter((entry) => entry.kind === kind)
    .flatMap(({ path, inEffect, meanwhile }) =>
      valuesAt(document, path.split('.'))
        .filter(({ value }) => typeof value !== 'string' || !inEffect?.includes(value))
        .map((found) => ({
          path: found.path,
          message: `not supported yet; ${meanwhile}`,
          onKey: inEffect === undefined,
        })),
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
