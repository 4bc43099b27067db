import { expect } from 'chai';
import { notYet } from '../../../model/not-yet.ts';
import { faultsOf, route, routeWith, service, trafficPolicy } from './reading.ts';

/** A valid use of every field in the table, by its path there. */
const uses: Readonly<Record<string, object>> = {
  'spec.rules.*.retry': routeWith({
    retry: { attempts: 2, on: ['connect-failure', '503', 502], perTryTimeout: '500ms' },
  }),
  'spec.rules.*.mirror': routeWith({ mirror: [{ subset: 'v3', percent: 5 }] }),
  'spec.rules.*.fault': routeWith({
    fault: { delay: { duration: '100ms', percent: 1 }, abort: { status: 503, percent: 0.5 } },
  }),
  'spec.rules.*.headers': routeWith({
    headers: { request: { set: { A: '1' }, add: {}, remove: ['B'] }, response: {} },
  }),
  'spec.rules.*.rewrite': routeWith({ rewrite: { path: { prefix: '/' }, host: 'reviews.internal' } }),
  'spec.rules.*.redirect': route({ rules: [{ redirect: { status: 308, host: 'h', path: { full: '/x' } } }] }),
  'spec.ports.*.protocol': service({ ports: [{ name: 'http', port: 80, protocol: 'grpc' }] }),
  'spec.hops': service({ hops: 'client' }),
  'spec.instanceAddress': service({ instanceAddress: 'keep' }),
  'spec.loadBalancer.policy': trafficPolicy({ loadBalancer: { policy: 'maglev' } }),
  'spec.hashOn': trafficPolicy({ subset: 'v1', hashOn: [{ header: 'x-user-id' }] }),
  'spec.localityPreference': trafficPolicy({ localityPreference: 'same-zone-first' }),
  'spec.connectionPool.maxConnections': trafficPolicy({ connectionPool: { maxConnections: 1024 } }),
  'spec.connectionPool.maxPendingRequests': trafficPolicy({ connectionPool: { maxPendingRequests: 1024 } }),
  'spec.connectionPool.maxRequests': trafficPolicy({ connectionPool: { maxRequests: 1024 } }),
  'spec.connectionPool.retryBudget': trafficPolicy({ connectionPool: { retryBudget: { percent: 20 } } }),
  'spec.connectionPool.idleTimeout': trafficPolicy({ connectionPool: { idleTimeout: '60s' } }),
  'spec.outlierDetection': trafficPolicy({
    outlierDetection: { consecutive5xx: 5, interval: '10s', baseEjectionTime: '30s', maxEjectionPercent: 50 },
  }),
  'spec.healthCheck': trafficPolicy({
    healthCheck: {
      http: { path: '/healthz' },
      interval: '5s',
      timeout: '1s',
      unhealthyThreshold: 3,
      healthyThreshold: 2,
    },
  }),
};

describe('a field that is not in effect yet', () => {
  for (const { path, meanwhile } of notYet) {
    it(`${path} is refused with its path, and with nothing else to say`, () => {
      const where = path.replaceAll('.*', '[0]');
      expect(faultsOf(uses[path])).to.deep.equal([`${where}: not supported yet; ${meanwhile}`]);
    });
  }

  it('is refused in every place where it stands', () => {
    const rule = { backends: [{}], mirror: [{ percent: 1 }] };
    expect(faultsOf(route({ rules: [rule, { backends: [{}] }, rule] }))).to.deep.equal([
      'spec.rules[0].mirror: not supported yet; no request is copied',
      'spec.rules[2].mirror: not supported yet; no request is copied',
    ]);
  });

  it('is named beside the faults inside it', () => {
    expect(faultsOf(routeWith({ retry: { attempts: 0, on: ['bad luck'] } }))).to.deep.equal([
      'spec.rules[0].retry: not supported yet; a request is sent once',
      'spec.rules[0].retry.attempts: must be at least 1; found 0',
      'spec.rules[0].retry.on[0]: must be connect-failure, refused, reset or a status such as "503"; found "bad luck"',
    ]);
  });

  for (const { name, document } of [
    { name: 'protocol http', document: service({ ports: [{ name: 'a', port: 80, protocol: 'http' }] }) },
    { name: 'hops both', document: service({ hops: 'both' }) },
    { name: 'instanceAddress balance', document: service({ instanceAddress: 'balance' }) },
    { name: 'round-robin', document: trafficPolicy({ loadBalancer: { policy: 'round-robin' } }) },
    { name: 'least-request', document: trafficPolicy({ loadBalancer: { policy: 'least-request' } }) },
    { name: 'connectTimeout', document: trafficPolicy({ connectionPool: { connectTimeout: '1s' } }) },
    { name: 'a sticky split with a timeout', document: routeWith({ sticky: { cookie: 'c' }, timeout: '2s' }) },
  ]) {
    it(`does not keep ${name} from being in effect`, () => expect(faultsOf(document)).to.deep.equal([]));
  }
});
