/**
 * The agent's own zone first, and what it cannot carry to the others: Envoy's arithmetic of priority levels, with the own
 * zone as the first level and all others as the second.
 */
import { combine, toFraction } from '../../routing/hash.ts';
import { createWeightedSplit, type WeightedSplit } from '../../routing/weighted-split.ts';
import type { Balancer, Candidate } from './balancer.ts';

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

export interface Levels<C extends Candidate> {
  readonly local: Balancer<C>;
  readonly others: Balancer<C>;
  /** 0 to 100. */
  readonly localPercent: number;
  /** Any integer of 0 or more: where the split between the two starts. */
  readonly phase: number;
}

/** Splits between the levels exactly, or by the hash where there is one. Who is not found on one level is looked for on the other. */
export function createLocalityBalancer<C extends Candidate>(levels: Levels<C>): Balancer<C> {
  return new LocalityBalancer(levels);
}

class LocalityBalancer<C extends Candidate> implements Balancer<C> {
  readonly #local: Balancer<C>;
  readonly #others: Balancer<C>;
  readonly #localShare: number;
  readonly #split: WeightedSplit;

  constructor({ local, others, localPercent: percent, phase }: Levels<C>) {
    this.#local = local;
    this.#others = others;
    this.#localShare = percent / 100;
    this.#split = createWeightedSplit([percent, 100 - percent], phase);
  }

  pick(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined {
    // A hash keeps to its level as long as the share does. Mixed once more: the hash itself says which instance.
    const isLocal =
      hash === undefined ? this.#split.pick() === 0 : toFraction(combine(hash, levelSalt)) < this.#localShare;
    const first = isLocal ? this.#local : this.#others;
    const second = isLocal ? this.#others : this.#local;
    return first.pick(tried, random, hash) ?? second.pick(tried, random, hash);
  }
}

const levelSalt = 0x5eed;
