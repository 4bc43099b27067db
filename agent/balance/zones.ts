/** The instances of a cluster by zone: those of the agent's own zone are asked first, as far as they can carry it. */
import { combine, toFraction } from '../../routing/hash.ts';
import { createWeightedSplit, type WeightedSplit } from '../../routing/weighted-split.ts';
import type { Balancer, Candidate } from './balancer.ts';
import { localPercent } from './local-share.ts';
import { type LoadBalancerPolicy, Policy } from './policy.ts';

export interface ZonesOptions<C extends Candidate> {
  readonly policy: LoadBalancerPolicy;
  readonly candidates: readonly C[];
  /** Absent: zones are not looked at. */
  readonly preferredZone: string | undefined;
  readonly previous: Zones<C> | undefined;
}

export class Zones<C extends Candidate> {
  readonly #preferredZone: string | undefined;
  readonly #local: Zone<C>;
  /** Empty when zones are not looked at. */
  readonly #others: Zone<C>;

  constructor({ policy, candidates, preferredZone, previous }: ZonesOptions<C>) {
    this.#preferredZone = preferredZone;
    const isLocal = ({ zone }: C) => preferredZone === undefined || zone === preferredZone;
    const local = candidates.filter(isLocal);
    const others = candidates.filter((candidate) => !isLocal(candidate));
    this.#local = createZone(policy, local, previous === undefined ? undefined : previous.#local);
    this.#others = createZone(policy, others, previous === undefined ? undefined : previous.#others);
  }

  /** `usable`: those of the candidates that may be asked. */
  balance(usable: readonly C[]): Balancer<C> {
    const local = usable.filter((candidate) => this.#local.members.has(candidate));
    const others = usable.filter((candidate) => this.#others.members.has(candidate));
    if (others.length === 0) return this.#local.policy.balance(local);
    if (local.length === 0) return this.#others.policy.balance(others);
    return new LocalityBalancer({
      local: this.#local.policy.balance(local),
      others: this.#others.policy.balance(others),
      localPercent: this.#localPercent(local.length, others.length),
    });
  }

  /** How much of the requests stays in the own zone, 0 to 100; undefined when zones are not looked at. */
  percentFor(usable: readonly C[]): number | undefined {
    if (this.#preferredZone === undefined) return undefined;
    const local = usable.filter((candidate) => this.#local.members.has(candidate)).length;
    const others = usable.length - local;
    if (others === 0) return local === 0 ? 0 : 100;
    return local === 0 ? 0 : this.#localPercent(local, others);
  }

  #localPercent(usableLocal: number, usableOthers: number): number {
    return localPercent(
      { usable: usableLocal, all: this.#local.members.size },
      { usable: usableOthers, all: this.#others.members.size },
    );
  }
}

interface Zone<C extends Candidate> {
  readonly members: ReadonlySet<C>;
  readonly policy: Policy<C>;
}

function createZone<C extends Candidate>(
  policy: LoadBalancerPolicy,
  members: readonly C[],
  previous: Zone<C> | undefined,
): Zone<C> {
  return { members: new Set(members), policy: new Policy(policy, members, previous?.policy) };
}

interface Levels<C extends Candidate> {
  readonly local: Balancer<C>;
  readonly others: Balancer<C>;
  /** 0 to 100. */
  readonly localPercent: number;
}

/** Splits between the levels exactly, or by the hash where there is one. Whom one level does not have, the other may. */
class LocalityBalancer<C extends Candidate> implements Balancer<C> {
  readonly #levels: Levels<C>;
  #split: WeightedSplit | undefined;

  constructor(levels: Levels<C>) {
    this.#levels = levels;
  }

  pick(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined {
    const { local, others } = this.#levels;
    return this.#isForLocal(random, hash)
      ? (local.pick(tried, random, hash) ?? others.pick(tried, random, hash))
      : (others.pick(tried, random, hash) ?? local.pick(tried, random, hash));
  }

  peek(hash: number | undefined): readonly C[] {
    const { local, others, localPercent: percent } = this.#levels;
    if (hash !== undefined) return (this.#isForLocalBy(hash) ? local : others).peek(hash);
    if (this.#split !== undefined) return (this.#split.peek() === 0 ? local : others).peek(hash);
    if (percent === 100) return local.peek(hash);
    return percent === 0 ? others.peek(hash) : [...local.peek(hash), ...others.peek(hash)];
  }

  guess(tried: readonly C[], random: () => number, hash: number | undefined): C | undefined {
    const { local, others } = this.#levels;
    const isForLocal = hash === undefined ? this.#begun(random).peek() === 0 : this.#isForLocalBy(hash);
    return isForLocal
      ? (local.guess(tried, random, hash) ?? others.guess(tried, random, hash))
      : (others.guess(tried, random, hash) ?? local.guess(tried, random, hash));
  }

  #isForLocal(random: () => number, hash: number | undefined): boolean {
    return hash === undefined ? this.#begun(random).pick() === 0 : this.#isForLocalBy(hash);
  }

  /** The hash itself says which instance of the level: mixed once more, it says which level. */
  #isForLocalBy(hash: number): boolean {
    return toFraction(combine(hash, levelSalt)) * 100 < this.#levels.localPercent;
  }

  /** Starting anywhere: the few requests of a quiet agent are not all for its own zone. */
  #begun(random: () => number): WeightedSplit {
    const percent = this.#levels.localPercent;
    this.#split ??= createWeightedSplit([percent, 100 - percent], Math.floor(random() * 100));
    return this.#split;
  }
}

const levelSalt = 0x5eed;
