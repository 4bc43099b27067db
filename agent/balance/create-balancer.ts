/** From the name of a policy to a balancer over those instances that may be asked. */
import type { Availability, Balancer, Candidate } from './balancer.ts';
import { createLeastRequest } from './least-request.ts';
import { createRoundRobin } from './round-robin.ts';

const policies = { 'round-robin': createRoundRobin, 'least-request': createLeastRequest } as const;

export type LoadBalancerPolicy = keyof typeof policies;

/** Healthy instances take everything as long as there is one that was not tried; then the degraded ones. */
export function createBalancer<C extends Candidate>(policy: LoadBalancerPolicy, candidates: readonly C[]): Balancer<C> {
  const create = policies[policy];
  const healthy = create(only('healthy', candidates));
  const degraded = create(only('degraded', candidates));
  return { pick: (tried, random) => healthy.pick(tried, random) ?? degraded.pick(tried, random) };
}

function only<C extends Candidate>(availability: Availability, candidates: readonly C[]): readonly C[] {
  return candidates.filter((candidate) => candidate.availability === availability);
}
