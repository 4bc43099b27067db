import { expect } from 'chai';
import type { TrafficPolicy } from '../../../../model/traffic-policy.ts';
import { effectivePolicy } from '../../../../server/compile/effective-policy.ts';
import { resourceOf, trafficPolicy } from '../../model/reading.ts';

const nothing = {
  loadBalancer: undefined,
  hashOn: undefined,
  localityPreference: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  healthCheck: undefined,
};

function policy(spec: object): TrafficPolicy {
  const resource = resourceOf(trafficPolicy(spec));
  if (resource.kind !== 'TrafficPolicy') throw new Error('no policy');
  return resource;
}

describe('the policies of a target together', () => {
  const whole = {
    loadBalancer: { policy: 'maglev' },
    hashOn: [{ header: 'x' }],
    connectionPool: { maxRequests: 10, retryBudget: { percent: 20, minRetries: 3 }, idleTimeout: '1m' },
    outlierDetection: { interval: '1s' },
    healthCheck: { http: { path: '/a' }, interval: '5s' },
  };
  const { connectionPool, outlierDetection, healthCheck } = whole;
  for (const { name, policies, subset, want } of [
    { name: 'none', policies: [], subset: 'v1', want: nothing },
    { name: 'that of the service for all instances', policies: [whole], subset: '', want: { ...nothing, ...whole } },
    { name: 'that of the service for a subset', policies: [whole], subset: 'v1', want: { ...nothing, ...whole } },
    {
      name: 'that of the subset alone',
      policies: [{ subset: 'v1', outlierDetection }],
      subset: 'v1',
      want: { ...nothing, outlierDetection },
    },
    {
      name: 'nothing of another subset',
      policies: [{ subset: 'v1', outlierDetection }],
      subset: 'v2',
      want: nothing,
    },
    {
      name: 'both, field by field, the innermost too',
      policies: [
        {
          subset: 'v1',
          loadBalancer: { policy: 'random' },
          localityPreference: 'same-zone-first',
          connectionPool: { maxRequests: 5, retryBudget: { minRetries: 1 } },
          outlierDetection: {},
          healthCheck: { http: { path: '/b' } },
        },
        whole,
      ],
      subset: 'v1',
      want: {
        loadBalancer: { policy: 'random' },
        hashOn: [{ header: 'x' }],
        localityPreference: 'same-zone-first',
        connectionPool: { ...connectionPool, maxRequests: 5, retryBudget: { percent: 20, minRetries: 1 } },
        outlierDetection,
        healthCheck: { ...healthCheck, http: { path: '/b' } },
      },
    },
  ]) {
    it(`are ${name}`, () => expect(effectivePolicy(policies.map(policy), subset)).to.deep.equal(want));
  }
});
