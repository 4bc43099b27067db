/** From the name of a policy to balancers. */
import type { Balancer, Candidate } from './balancer.ts';
import { HashBalancer } from './hash-balancer.ts';
import { type CreateHashTable, HashedMembers } from './hash-table.ts';
import { LeastRequestBalancer } from './least-request.ts';
import { createMaglev } from './maglev.ts';
import { RandomBalancer } from './random.ts';
import { createRing } from './ring-hash.ts';
import { RoundRobinBalancer } from './round-robin.ts';

export type LoadBalancerPolicy = 'round-robin' | 'least-request' | 'random' | 'ring-hash' | 'maglev';

/** A policy over one list of instances: makes balancers for those parts of the list that may be asked at the moment. */
export class Policy<C extends Candidate> {
  readonly #name: LoadBalancerPolicy;
  /** Of the policies that go by a hash. */
  readonly #hashed: HashedMembers<C> | undefined;

  /** `previous`: of the list so far, whose table may still be right. */
  constructor(name: LoadBalancerPolicy, members: readonly C[], previous?: Policy<C>) {
    const create = hashTables[name];
    this.#name = name;
    const before = previous === undefined ? undefined : previous.#hashed;
    this.#hashed = create && new HashedMembers(create, members, before);
  }

  balance(usable: readonly C[]): Balancer<C> {
    if (this.#hashed !== undefined) return new HashBalancer(this.#hashed, usable);
    switch (this.#name) {
      case 'least-request':
        return new LeastRequestBalancer(usable);
      case 'random':
        return new RandomBalancer(usable);
      default:
        return new RoundRobinBalancer(usable);
    }
  }
}

const hashTables: { readonly [Name in LoadBalancerPolicy]?: CreateHashTable } = {
  'ring-hash': createRing,
  maglev: createMaglev,
};
