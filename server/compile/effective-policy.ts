/** What policies say of one target together: the subset's over the service's, field by field. */
import type { TrafficPolicy } from '../../model/traffic-policy.ts';

type Fields = Required<Omit<TrafficPolicy['spec'], 'service' | 'subset'>>;

/** Everything a policy may set; undefined is what nobody did. */
export type EffectivePolicy = { readonly [Field in keyof Fields]: Fields[Field] | undefined };

/** `subset`: '' is all instances. */
export function effectivePolicy(policies: readonly TrafficPolicy[], subset: string): EffectivePolicy {
  const whole = policies.find(({ spec }) => spec.subset === undefined)?.spec;
  const own = subset === '' ? undefined : policies.find(({ spec }) => spec.subset === subset)?.spec;
  const pool = merged(whole?.connectionPool, own?.connectionPool);
  const retryBudget = merged(whole?.connectionPool?.retryBudget, own?.connectionPool?.retryBudget);
  return {
    loadBalancer: own?.loadBalancer ?? whole?.loadBalancer,
    hashOn: own?.hashOn ?? whole?.hashOn,
    localityPreference: own?.localityPreference ?? whole?.localityPreference,
    connectionPool: pool && { ...pool, ...(retryBudget && { retryBudget }) },
    outlierDetection: merged(whole?.outlierDetection, own?.outlierDetection),
    healthCheck: merged(whole?.healthCheck, own?.healthCheck),
  };
}

/** One group of fields. */
function merged<Group extends object>(whole: Group | undefined, own: Group | undefined): Group | undefined {
  return whole && own ? { ...whole, ...own } : (own ?? whole);
}
