import { expect } from 'chai';
import { defaultBreakerLimits, noLimit } from '../../../../agent/resilience/circuit-breaker.ts';
import { never } from '../../../../agent/resilience/outlier-detection.ts';
import { type ClusterView, createClusterView } from '../../../../agent/view/cluster-view.ts';
import type { Input } from '../../../../proto/load.ts';
import { type Json, toStruct } from '../../../../proto/struct.ts';
import { type Cluster, ClusterLbPolicy, ClusterLoadAssignment } from '../../../../proto/types.ts';
import { hash53 } from '../../../../routing/hash.ts';
import { request, seededRandom } from '../../routing/resources.ts';
import { assignment, cluster } from './resources.ts';

const name = 'reviews.default|http|v1';
const three = assignment(name, [
  { id: 'a', port: 1 },
  { id: 'b', port: 2 },
  { id: 'c', port: 3 },
]);

interface Given {
  readonly endpoints?: ClusterLoadAssignment;
  readonly zone?: string;
  readonly previous?: ClusterView;
}

function viewOf(more: Input<Cluster> = {}, { endpoints = three, zone = '', previous }: Given = {}): ClusterView {
  return createClusterView(cluster(name, more), endpoints, { zone, previous });
}

function metadata(sluice: { readonly [key: string]: Json }): Input<Cluster> {
  return { metadata: { filterMetadata: { sluice: toStruct(sluice) } } };
}

/** Instances that are asked, sorted. */
function askedOf({ balancer }: ClusterView): string {
  const random = seededRandom(1);
  const asked = Array.from({ length: 100 }, () => balancer.pick([], random, undefined)?.instance ?? 'none');
  return [...new Set(asked)].sort().join(' ');
}

const eject: Input<Cluster> = {
  outlierDetection: { consecutive_5xx: { value: 1 }, alwaysEjectOneHost: { value: true } },
};
const check: Input<Cluster> = { healthChecks: [{ httpHealthCheck: { path: '/healthz' } }] };

describe('a cluster view', () => {
  it('of a cluster that says nothing protects nothing, and hashes nothing', () => {
    const { protocol, idleTimeoutMs, breaker, outlier, healthCheck, hashOf } = viewOf();
    expect({ protocol, idleTimeoutMs, limits: breaker.limits, outlier, healthCheck }).to.deep.equal({
      protocol: 'http',
      idleTimeoutMs: 4_000,
      limits: defaultBreakerLimits,
      outlier: undefined,
      healthCheck: undefined,
    });
    expect(hashOf(request('GET /'), '10.0.0.1')).to.equal(undefined);
  });

  it('keeps idle connections as long as it is told to, and those of TCP for an hour', () => {
    const idle = { commonHttpProtocolOptions: { idleTimeout: { seconds: 60 } } };
    expect(viewOf(idle).idleTimeoutMs).to.equal(60_000);
    expect(viewOf(metadata({ protocol: 'tcp' }))).to.deep.include({ protocol: 'tcp', idleTimeoutMs: 3_600_000 });
  });

  for (const { name: policy, lbPolicy } of [
    { name: 'round-robin', lbPolicy: ClusterLbPolicy.ROUND_ROBIN },
    { name: 'least-request', lbPolicy: ClusterLbPolicy.LEAST_REQUEST },
    { name: 'random', lbPolicy: ClusterLbPolicy.RANDOM },
    { name: 'ring-hash', lbPolicy: ClusterLbPolicy.RING_HASH },
    { name: 'maglev', lbPolicy: ClusterLbPolicy.MAGLEV },
  ]) {
    it(`balances by ${policy}`, () => expect(viewOf({ lbPolicy }).policy).to.equal(policy));
  }

  it('asks its own zone first when it is told to and knows it', () => {
    const endpoint = (id: string, portValue: number) => ({
      endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue } } },
      metadata: { filterMetadata: { sluice: toStruct({ instance: id }) } },
    });
    const endpoints = ClusterLoadAssignment.decode(
      ClusterLoadAssignment.encode({
        clusterName: name,
        endpoints: [
          { locality: { zone: 'east' }, lbEndpoints: [endpoint('e', 1)] },
          { locality: { zone: 'west' }, lbEndpoints: [endpoint('w', 2)] },
        ],
      }),
    );
    const preferring = metadata({ localityPreference: 'same-zone-first' });
    expect(askedOf(viewOf(preferring, { endpoints, zone: 'west' }))).to.equal('w');
    expect(askedOf(viewOf(preferring, { endpoints, zone: '' }))).to.equal('e w');
    expect(askedOf(viewOf({}, { endpoints, zone: 'west' }))).to.equal('e w');
  });
});

describe('circuit breakers of a cluster view', () => {
  for (const { name: what, thresholds, want } of [
    {
      name: 'are those that are given',
      thresholds: { maxConnections: { value: 1 }, maxPendingRequests: { value: 2 }, maxRequests: { value: 3 } },
      want: { maxConnections: 1, maxPendingRequests: 2, maxRequests: 3, retries: defaultBreakerLimits.retries },
    },
    {
      name: 'bound only who waits where nothing is given',
      thresholds: {},
      want: { ...defaultBreakerLimits, maxConnections: noLimit, maxPendingRequests: 1_024, maxRequests: noLimit },
    },
    {
      name: 'know a number of retries',
      thresholds: { maxRetries: { value: 7 } },
      want: { ...defaultBreakerLimits, retries: { is: 'fixed', maxRetries: 7 } },
    },
    {
      name: 'know a retry budget, which goes before',
      thresholds: { maxRetries: { value: 7 }, retryBudget: { budgetPercent: { value: 40 } } },
      want: { ...defaultBreakerLimits, retries: { is: 'budget', percent: 40, minConcurrency: 3 } },
    },
  ]) {
    it(what, () => {
      const { limits } = viewOf({ circuitBreakers: { thresholds: [thresholds] } }).breaker;
      expect(limits).to.deep.equal(want);
    });
  }

  it('are shared out when several processes keep them: to each its part, rounded up', () => {
    const thresholds = {
      maxConnections: { value: 10 },
      maxPendingRequests: { value: 1 },
      maxRequests: { value: 0 },
      maxRetries: { value: 5 },
    };
    const limitsOf = (more: Input<Cluster>) =>
      createClusterView(cluster(name, more), three, { zone: '', previous: undefined, workers: 4 }).breaker.limits;
    expect(limitsOf({ circuitBreakers: { thresholds: [thresholds] } })).to.deep.equal({
      maxConnections: 3,
      maxPendingRequests: 1,
      maxRequests: 0,
      retries: { is: 'fixed', maxRetries: 2 },
    });
    expect(limitsOf({})).to.deep.equal({
      maxConnections: noLimit,
      maxPendingRequests: 256,
      maxRequests: noLimit,
      retries: { is: 'budget', percent: 20, minConcurrency: 1 },
    });
  });

  it('go on counting after a swap', () => {
    const before = viewOf();
    before.breaker.tryAcquireRequest();
    const after = viewOf({ circuitBreakers: { thresholds: [{ maxRequests: { value: 1 } }] } }, { previous: before });
    expect(after.breaker.tryAcquireRequest()).to.equal(false);
  });
});

describe('outlier detection of a cluster view', () => {
  it('means by what is unset what Envoy means', () => {
    expect(viewOf({ outlierDetection: {} }).outlier?.settings).to.deep.equal({
      consecutive5xx: 5,
      consecutiveGatewayFailure: never,
      consecutiveLocalOriginFailure: never,
      splitExternalLocalOriginErrors: false,
      intervalMs: 10_000,
      baseEjectionTimeMs: 30_000,
      maxEjectionTimeMs: 300_000,
      maxEjectionPercent: 10,
      alwaysEjectOneHost: false,
    });
  });

  it('does what it is told', () => {
    const outlierDetection = {
      enforcingConsecutive_5xx: { value: 0 },
      consecutiveGatewayFailure: { value: 3 },
      enforcingConsecutiveGatewayFailure: { value: 100 },
      splitExternalLocalOriginErrors: true,
      consecutiveLocalOriginFailure: { value: 4 },
      interval: { seconds: 1 },
      baseEjectionTime: { seconds: 600 },
      maxEjectionPercent: { value: 50 },
      alwaysEjectOneHost: { value: true },
    };
    expect(viewOf({ outlierDetection }).outlier?.settings).to.deep.equal({
      consecutive5xx: never,
      consecutiveGatewayFailure: 3,
      consecutiveLocalOriginFailure: 4,
      splitExternalLocalOriginErrors: true,
      intervalMs: 1_000,
      baseEjectionTimeMs: 600_000,
      maxEjectionTimeMs: 600_000,
      maxEjectionPercent: 50,
      alwaysEjectOneHost: true,
    });
  });

  it('keeps from asking who failed, across swaps, until it is switched off', () => {
    const before = viewOf(eject);
    const [first] = before.endpoints;
    if (first !== undefined) before.outlier?.report(first.load, '5xx', 0);
    const after = viewOf(eject, { previous: before });
    const off = viewOf({}, { previous: after });
    expect([before, after, off].map(askedOf)).to.deep.equal(['b c', 'b c', 'a b c']);
  });

  it('ignores suspicion below the panic threshold', () => {
    const panicking = (value: number) => {
      const outlierDetection = { consecutive_5xx: { value: 1 }, maxEjectionPercent: { value: 100 } };
      const view = viewOf({ outlierDetection, commonLbConfig: { healthyPanicThreshold: { value } } });
      for (const { load, instance } of view.endpoints) {
        if (instance !== 'c') view.outlier?.report(load, '5xx', 0);
      }
      return askedOf(view);
    };
    expect([50, 33, 0].map(panicking)).to.deep.equal(['a b c', 'c', 'c']);
  });
});

describe('the health check of a cluster view', () => {
  it('asks for the service unless told otherwise', () => {
    expect(viewOf(check).healthCheck).to.deep.equal({
      http: { host: 'reviews.default', path: '/healthz' },
      intervalMs: 5_000,
      timeoutMs: 1_000,
      healthyThreshold: 2,
      unhealthyThreshold: 3,
    });
  });

  it('does what it is told', () => {
    const healthChecks = [
      {
        tcpHealthCheck: {},
        interval: { seconds: 1 },
        timeout: { seconds: 2 },
        healthyThreshold: { value: 4 },
        unhealthyThreshold: { value: 5 },
      },
    ];
    expect(viewOf({ healthChecks }).healthCheck).to.deep.equal({
      http: undefined,
      intervalMs: 1_000,
      timeoutMs: 2_000,
      healthyThreshold: 4,
      unhealthyThreshold: 5,
    });
  });

  it('keeps from asking who fails it, until it is switched off', () => {
    const view = viewOf(check);
    const [first] = view.endpoints;
    if (first !== undefined) first.load.check = { is: 'failing', contrary: 0 };
    view.suspicions.changes++;
    expect([askedOf(view), askedOf(viewOf({}, { previous: view }))]).to.deep.equal(['b c', 'a b c']);
  });
});

describe('what a cluster view hashes', () => {
  const hashing = (...hashOn: Json[]) => viewOf({ ...metadata({ hashOn }), lbPolicy: ClusterLbPolicy.MAGLEV }).hashOf;
  const asked = request('GET /?user=q7&empty=', { 'x-user': 'h7', cookie: 'a=1; user=c7', 'x-empty': '' });

  for (const { name: what, hashOn, want } of [
    { name: 'a header, whatever its case', hashOn: [{ header: 'X-User' }], want: 'h7' },
    { name: 'a cookie', hashOn: [{ cookie: 'user' }], want: 'c7' },
    { name: 'a query parameter', hashOn: [{ query: 'user' }], want: 'q7' },
    { name: 'the address of the caller', hashOn: [{ sourceAddress: true }], want: '10.0.0.1' },
    {
      name: 'the first that the request has',
      hashOn: [
        { header: 'x-nobody' },
        { header: 'x-empty' },
        { query: 'empty' },
        { cookie: 'user' },
        { query: 'user' },
      ],
      want: 'c7',
    },
  ]) {
    it(`is ${what}`, () => expect(hashing(...hashOn)(asked, '10.0.0.1')).to.equal(hash53(want)));
  }

  it('is nothing when the request has none of it', () => {
    expect(hashing({ header: 'x-nobody' }, { cookie: 'nobody' })(asked, '10.0.0.1')).to.equal(undefined);
  });

  it('is nothing when the policy goes by no hash', () => {
    const { hashOf } = viewOf(metadata({ hashOn: [{ sourceAddress: true }] }));
    expect(hashOf(asked, '10.0.0.1')).to.equal(undefined);
  });
});

describe('a cluster view refuses', () => {
  for (const { name: what, given, want } of [
    {
      name: 'a protocol that it does not know',
      given: metadata({ protocol: 'quic' }),
      want: 'metadata.protocol: "quic" is not one that this agent knows',
    },
    {
      name: 'a preference of zones that it does not know',
      given: metadata({ localityPreference: 'far' }),
      want: 'metadata.localityPreference: "far" is not one that this agent knows',
    },
    { name: 'hashOn that is no list', given: metadata({ hashOn: 'x' }), want: 'metadata.hashOn: is no list' },
    {
      name: 'a key of a kind that it does not know',
      given: metadata({ hashOn: [{ header: 'a' }, { filterState: 'b' }] }),
      want: 'metadata.hashOn[1]: filterState is a kind of key that this agent does not know',
    },
    {
      name: 'a key without a name',
      given: metadata({ hashOn: [{ header: '' }] }),
      want: 'metadata.hashOn[0]: header has no name',
    },
    {
      name: 'a key of two kinds',
      given: metadata({ hashOn: [{ header: 'a', cookie: 'b' }] }),
      want: 'metadata.hashOn[0]: is no map of one kind of key',
    },
    {
      name: 'a panic threshold that is no percentage',
      given: { commonLbConfig: { healthyPanicThreshold: { value: 101 } } },
      want: 'commonLbConfig.healthyPanicThreshold: is 101, not 0 to 100',
    },
    {
      name: 'ejections that are carried out by chance',
      given: { outlierDetection: { enforcingConsecutive_5xx: { value: 50 } } },
      want: 'outlierDetection: enforces 50 % of ejections; this agent knows all or none',
    },
    {
      name: 'several health checks',
      given: { healthChecks: [{ tcpHealthCheck: {} }, { tcpHealthCheck: {} }] },
      want: 'healthChecks: are several; this agent knows one',
    },
    {
      name: 'a health check of a kind that it does not know',
      given: { healthChecks: [{}] },
      want: 'healthChecks[0]: is of a kind that this agent does not know',
    },
    {
      name: 'a health check whose path is none',
      given: { healthChecks: [{ httpHealthCheck: { path: '/a b' } }] },
      want: 'healthChecks[0]: its path is no path',
    },
  ]) {
    it(what, () => expect(() => viewOf(given)).to.throw(want));
  }
});
