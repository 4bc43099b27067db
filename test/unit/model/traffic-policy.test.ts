import { expect } from 'chai';
import { faultsOf, resourceOf, trafficPolicy } from './reading.ts';

describe('a TrafficPolicy', () => {
  it('fills in no defaults, and is kept in canonical form', () => {
    const written = trafficPolicy({
      loadBalancer: { policy: 'ring-hash' },
      hashOn: [{ header: 'X-User' }, { cookie: 'User' }, { query: 'User' }, { sourceAddress: true }],
      connectionPool: { idleTimeout: '60s', retryBudget: { percent: 12.5 } },
      outlierDetection: {},
      healthCheck: { interval: '1000ms' },
    });
    const resource = resourceOf(written);
    expect(resource.spec).to.deep.equal({
      service: 'reviews',
      loadBalancer: { policy: 'ring-hash' },
      hashOn: [{ header: 'x-user' }, { cookie: 'User' }, { query: 'User' }, { sourceAddress: true }],
      connectionPool: { idleTimeout: '1m', retryBudget: { percent: 12.5 } },
      outlierDetection: {},
      healthCheck: { interval: '1s' },
    });
  });

  const hashPolicy = 'spec.hashOn: needs loadBalancer.policy ring-hash or maglev; the others go by no key';
  const maglev = { loadBalancer: { policy: 'maglev' } };
  for (const { name, spec, want } of [
    { name: 'with a key and no load balancer', spec: { hashOn: [{ query: 'a' }] }, want: [hashPolicy] },
    {
      name: 'with a key and a load balancer that goes by none',
      spec: { subset: 'v1', loadBalancer: { policy: 'random' }, hashOn: [{ query: 'a' }] },
      want: [hashPolicy],
    },
    {
      name: 'with a key that is two',
      spec: { ...maglev, hashOn: [{ header: 'a', cookie: 'b' }] },
      want: ['spec.hashOn[0]: needs exactly one of header, cookie, sourceAddress, query; given are header and cookie'],
    },
    {
      name: 'with one key twice',
      spec: { ...maglev, hashOn: [{ header: 'a' }, { cookie: 'a' }, { header: 'A' }] },
      want: ['spec.hashOn[2]: key "header a" stands here a second time; first at [0]'],
    },
    {
      name: 'with no source address as a key',
      spec: { ...maglev, hashOn: [{ sourceAddress: false }] },
      want: ['spec.hashOn[0].sourceAddress: must be true; found false'],
    },
    {
      name: 'with another load balancer',
      spec: { loadBalancer: { policy: 'ring_hash' } },
      want: [
        'spec.loadBalancer.policy: must be one of round-robin, least-request, random, ring-hash, maglev; found "ring_hash"; did you mean "ring-hash"?',
      ],
    },
    {
      name: 'with limits that nothing keeps',
      spec: {
        connectionPool: { maxConnections: 0, retryBudget: { percent: 101, minRetries: -1 }, connectTimeout: '0s' },
      },
      want: [
        'spec.connectionPool.maxConnections: must be at least 1; found 0',
        'spec.connectionPool.retryBudget.percent: must be at most 100; found 101',
        'spec.connectionPool.retryBudget.minRetries: must be at least 0; found -1',
        'spec.connectionPool.connectTimeout: must be a duration above 0',
      ],
    },
    {
      name: 'with shares of more than all',
      spec: { outlierDetection: { consecutive5xx: -1, maxEjectionPercent: 101, minHealthPercent: 0.5 } },
      want: [
        'spec.outlierDetection.consecutive5xx: must be at least 0; found -1',
        'spec.outlierDetection.maxEjectionPercent: must be at most 100; found 101',
        'spec.outlierDetection.minHealthPercent: must be a whole number; found 0.5',
      ],
    },
    {
      name: 'with a health check of no path',
      spec: { healthCheck: { http: { path: 'healthz' } } },
      want: [
        'spec.healthCheck.http.path: must begin with "/" and be written as in a request: without "?" and "#", other than ASCII percent-encoded; found "healthz"',
      ],
    },
  ]) {
    it(`${name} is refused`, () => expect(faultsOf(trafficPolicy(spec))).to.deep.equal(want));
  }

  it('of a subset may name a key alone: the load balancer may be that of the service', () => {
    expect(faultsOf(trafficPolicy({ subset: 'v1', hashOn: [{ query: 'a' }] }))).to.deep.equal([]);
  });
});
