/**
 * The agent's own zone first, and what it cannot carry to the others: Envoy's arithmetic of priority levels, with the own
 * zone as the first level and all others as the second.
 */

/** How many instances a level has, and how many of them take requests. */
export interface LevelHealth {
  readonly usable: number;
  readonly all: number;
}

/** Envoy's overprovisioning factor, in percent: a level carries everything as long as 72 % of it take requests. */
const overprovisioning = 140;

/**
 * The percentage of requests for the own zone; the others get the rest. A level of which a share h takes requests carries
 * 140 h percent, 100 at most; when both together carry less than everything, each gets in proportion to what it carries.
 */
export function localPercent(local: LevelHealth, others: LevelHealth): number {
  const carriesLocal = carriedPercent(local);
  const carriesOthers = carriedPercent(others);
  if (carriesLocal === 0) return 0;
  const total = Math.min(100, carriesLocal + carriesOthers);
  const forLocal = Math.floor((carriesLocal * 100) / total);
  // What rounding leaves over falls to the first level.
  return 100 - Math.min(100 - forLocal, Math.floor((carriesOthers * 100) / total));
}

function carriedPercent({ usable, all }: LevelHealth): number {
  return all === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * usable) / all));
}
