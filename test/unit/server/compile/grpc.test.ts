import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect } from 'chai';
import { RE2JS } from 're2js';
import type { MessageType } from '../../../../proto/load.ts';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration } from '../../../../proto/types.ts';
import { compileServerListener } from '../../../../server/compile/grpc/listeners.ts';
import { unmetBy } from '../../../../server/compile/grpc/matches.ts';
import { retryConditions } from '../../../../server/compile/grpc/retry-conditions.ts';
import type { InstanceRecord } from '../../../../server/registry/instance.ts';
import { problemsOf, variantOf } from '../../../../server/snapshot/variants.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';

const service = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { ports: [ { name: grpc, port: 9080, protocol: grpc } ], aliases: [ rv, com.example.reviews ] }
`;

const route = (...rules: string[]) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, allowEmpty: true, rules: [ ${rules.join(', ')} ] }
`;

const policy = (fields: string) => `
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: reviews }
spec: { service: reviews, ${fields} }
`;

/** reviews.default as gRPC clients get it. */
function snapshotOf(documents: readonly string[], instances: readonly InstanceRecord[] = []) {
  const mesh = new ModelMesh();
  mesh.put(...instances);
  mesh.apply([service, ...documents].join('---'));
  const snapshot = mesh.cache.service('reviews.default');
  if (snapshot === undefined) throw new Error('no service');
  return snapshot;
}

function resourcesOf<T>(type: MessageType<T>, documents: readonly string[], instances: readonly InstanceRecord[] = []) {
  const resources = variantOf(snapshotOf(documents, instances), 'grpc').get(type.typeUrl) ?? new Map();
  return [...resources.values()].map(({ bytes }) => type.toJson(type.decode(bytes)));
}

function routesOf(...rules: string[]): unknown[] {
  const [configuration] = resourcesOf(RouteConfiguration, [route(...rules)]);
  const { virtualHosts } = configuration as { virtualHosts: { domains: string[]; routes: unknown[] }[] };
  expect(virtualHosts.map(({ domains }) => domains)).to.deep.equal([['*']]);
  return virtualHosts[0]?.routes ?? [];
}

const v1 = 'reviews.default|grpc|v1';
const to = (subset: string) => `backends: [ { subset: ${subset} } ]`;

describe('a service for gRPC clients', () => {
  it('has a listener for every name, with its ports and without, that names its routes', () => {
    const listeners = resourcesOf(Listener, []) as { name: string }[];
    const names = [
      'reviews.default',
      'reviews.default.mesh.local',
      'rv.default',
      'com.example.reviews',
      'reviews',
      'rv',
    ];
    expect(listeners.map(({ name }) => name).sort()).to.deep.equal(
      names.flatMap((name) => [name, `${name}:9080`]).sort(),
    );
    expect(JSON.stringify(listeners[0])).to.contain('"routeConfigName":"reviews.default:9080"');
  });

  it('sends everything to all instances without a Route', () => {
    const [configuration] = resourcesOf(RouteConfiguration, []);
    expect(configuration).to.have.nested.property('virtualHosts[0].routes[0].route.cluster', 'reviews.default|grpc|');
  });

  describe('matches', () => {
    const taken = (match: string) =>
      (routesOf(`{ match: [ ${match} ], ${to('v1')} }`) as { match: unknown }[]).map((route) => route.match);

    for (const { name, match, want } of [
      { name: 'every path', match: '{ path: { prefix: / } }', want: [{ prefix: '/' }] },
      { name: 'a method', match: '{ path: { exact: /a.B/C } }', want: [{ path: '/a.B/C' }] },
      { name: 'a service by its prefix', match: '{ path: { prefix: /a.B } }', want: [{ prefix: '/a.B/' }] },
      { name: 'a method by its prefix', match: '{ path: { prefix: /a.B/C } }', want: [{ path: '/a.B/C' }] },
      {
        name: 'a regular expression as a whole',
        match: '{ path: { regex: /a.*|/b.* } }',
        want: [{ safeRegex: { regex: '(?:/a.*|/b.*)' } }],
      },
      {
        name: 'a group with a name as older engines write it',
        match: '{ path: { regex: "/(?<a>x)[(?<b>]\\\\(?<y" } }',
        want: [{ safeRegex: { regex: '(?:/(?P<a>x)[(?<b>]\\(?<y)' } }],
      },
      {
        name: 'headers in words that old libraries know',
        match: '{ headers: { a: { exact: "1" }, b: { prefix: x }, c: { regex: "y+" }, d: { present: false } } }',
        want: [
          {
            prefix: '/',
            headers: [
              { name: 'a', exactMatch: '1' },
              { name: 'b', prefixMatch: 'x' },
              { name: 'c', safeRegexMatch: { regex: '(?:y+)' } },
              { name: 'd', presentMatch: true, invertMatch: true },
            ],
          },
        ],
      },
      { name: 'POST, as every request is', match: '{ method: POST }', want: [{ prefix: '/' }] },
      { name: 'a query that is absent', match: '{ query: { a: { present: false } } }', want: [{ prefix: '/' }] },
      {
        name: 'nothing by an expression that costs an application its memory',
        match: '{ path: { regex: "/\\\\pL{1000}" } }',
        want: [],
      },
      {
        name: 'a quotation that lasts to the end of its expression',
        match: '{ path: { regex: "/\\\\Qa.b" } }',
        want: [{ safeRegex: { regex: '(?:/\\Qa.b\\E)' } }],
      },
      {
        name: 'nothing by a class of characters that ends an application in Node',
        match: '{ path: { regex: "/[a\\\\P{^Emoji}]" } }',
        want: [],
      },
      {
        name: 'what is quoted as it is',
        match: '{ path: { regex: "/\\\\Q\\\\p{Emoji}\\\\E" } }',
        want: [{ safeRegex: { regex: '(?:/\\Q\\p{Emoji}\\E)' } }],
      },
      { name: 'nothing by another method', match: '{ method: GET }', want: [] },
      { name: 'nothing by a query', match: '{ query: { a: { exact: b } } }', want: [] },
      { name: 'nothing by binary metadata', match: '{ headers: { a-bin: { present: false } } }', want: [] },
      { name: 'nothing by what the transport adds', match: '{ headers: { user-agent: { prefix: x } } }', want: [] },
    ]) {
      it(name, () => expect(taken(match)).to.deep.equal(want));
    }
  });

  it('takes by all classes of characters that @grpc/grpc-js-xds knows, and by no other', () => {
    const require = createRequire(createRequire(import.meta.url).resolve('@grpc/grpc-js-xds'));
    const { RE2: Older } = require('re2-wasm');
    const knows = (make: () => unknown) => {
      try {
        make();
        return true;
      } catch {
        return false;
      }
    };
    // Whatever names there are, they stand in its text.
    const words = readFileSync(createRequire(import.meta.url).resolve('re2js'), 'utf8').match(/\b[A-Za-z_]{1,40}\b/g);
    const names = [...new Set(words)].filter((name) => knows(() => RE2JS.compile(`\\p{${name}}`)));
    expect(names).to.include.members(['Emoji', 'Greek', 'Lu']);
    const matchOf = (name: string) => ({ path: { regex: `/\\p{${name}}` }, headers: {}, query: {} });
    expect(names.filter((name) => unmetBy(matchOf(name)) === undefined)).to.deep.equal(
      names.filter((name) => knows(() => new Older(`\\p{${name}}`, 'u'))),
    );
  });

  it('splits by weights that old libraries can add up', () => {
    expect(routesOf('{ backends: [ { subset: v1, weight: 1 }, { subset: v2, weight: 2 } ] }')).to.deep.equal([
      {
        name: 'reviews/0',
        match: { prefix: '/' },
        route: {
          weightedClusters: {
            clusters: [
              { name: v1, weight: { value: 1 } },
              { name: 'reviews.default|grpc|v2', weight: { value: 2 } },
            ],
            totalWeight: { value: 3 },
          },
        },
      },
    ]);
  });

  it('says timeouts, retries and faults in their words', () => {
    const [only] = routesOf(
      `{ ${to('v1')}, timeout: 2s, retry: { attempts: 2, on: [ reset, refused, "503", "500" ], backoff: { base: 10ms } }, fault: { abort: { status: 503, percent: 50 } } }`,
    );
    expect(only).to.deep.include({
      route: {
        cluster: v1,
        maxStreamDuration: { maxStreamDuration: { seconds: 2, nanos: 0 } },
        retryPolicy: {
          retryOn: 'internal,unavailable',
          numRetries: { value: 2 },
          retryBackOff: { baseInterval: { seconds: 0, nanos: 10_000_000 } },
        },
      },
    });
    expect(only).to.have.nested.property('typedPerFilterConfig.envoy\\.filters\\.http\\.fault');
  });

  it('needs no word for what gRPC sends again unasked', () => {
    expect(retryConditions(['connect-failure', 'refused'])).to.deep.equal({ tokens: [], unknown: [] });
    expect(retryConditions(['501', 'reset'])).to.deep.equal({ tokens: ['unavailable'], unknown: ['501'] });
  });

  it('refuses requests that would have to be answered or changed', () => {
    for (const rule of ['redirect: { path: { full: /x } }', `${to('v1')}, rewrite: { path: { full: /x } }`]) {
      const [only] = routesOf(`{ ${rule} }`);
      expect(only).to.have.nested.property('route.cluster', 'reviews.default|grpc|');
      expect(JSON.stringify(only)).to.contain('"grpcStatus":12');
    }
  });

  describe('balances', () => {
    const clusterWith = (fields: string) => resourcesOf(Cluster, [policy(fields)])[0] as Record<string, unknown>;

    it('round-robin without a limit, reporting its load to this server', () => {
      expect(clusterWith('connectionPool: { idleTimeout: 1s }')).to.deep.equal({
        name: 'reviews.default|grpc|',
        type: 'EDS',
        edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: 'V3' } },
        lbPolicy: 'ROUND_ROBIN',
        circuitBreakers: { thresholds: [{ maxRequests: { value: 4_294_967_295 } }] },
        lrsServer: { self: {} },
      });
    });

    for (const [name, first] of [
      ['least-request', 'LeastRequest'],
      ['ring-hash', 'RingHash'],
      ['maglev', 'RingHash'],
    ] as const) {
      it(`${name} where a library knows the list, else round-robin`, () => {
        const cluster = clusterWith(`loadBalancer: { policy: ${name} }`);
        expect(cluster.lbPolicy).to.equal('ROUND_ROBIN');
        expect(cluster).to.have.nested.property('loadBalancingPolicy.policies[0]');
        expect(JSON.stringify(cluster.loadBalancingPolicy)).to.contain(`.${first}"`);
      });
    }

    it('with the limit of requests', () => {
      expect(clusterWith('connectionPool: { maxRequests: 3 }')).to.have.nested.property(
        'circuitBreakers.thresholds[0].maxRequests.value',
        3,
      );
    });

    it('by what the routes say of the hash', () => {
      const hash = policy(
        'loadBalancer: { policy: ring-hash }, hashOn: [ { header: x-user }, { sourceAddress: true } ]',
      );
      const [configuration] = resourcesOf(RouteConfiguration, [hash]);
      expect(configuration).to.have.deep.nested.property('virtualHosts[0].routes[0].route.hashPolicy', [
        { header: { headerName: 'x-user' }, terminal: true },
        { filterState: { key: 'io.grpc.channel_id' }, terminal: true },
      ]);
    });
  });

  describe('has endpoints', () => {
    const localitiesOf = (documents: readonly string[], ...instances: InstanceRecord[]) => {
      const found = resourcesOf(ClusterLoadAssignment, documents, instances) as {
        clusterName: string;
        endpoints?: {
          locality: { zone?: string; subZone?: string };
          priority?: number;
          loadBalancingWeight: { value: number };
          lbEndpoints: unknown[];
        }[];
      }[];
      const all = found.find(({ clusterName }) => clusterName === 'reviews.default|grpc|');
      return (all?.endpoints ?? []).map(({ locality, priority = 0, loadBalancingWeight, lbEndpoints }) => ({
        locality: `${locality.zone ?? ''}/${locality.subZone ?? ''}`,
        priority,
        weight: loadBalancingWeight.value,
        count: lbEndpoints.length,
      }));
    };
    const instance = (id: string, more: Partial<InstanceRecord> = {}) => instanceOf('reviews', id, more);

    it('by zone and weight, each locality with the weight of its instances', () => {
      expect(
        localitiesOf(
          [],
          instance('a', { zone: 'x' }),
          instance('b', { zone: 'x', weight: 3 }),
          instance('c', { zone: 'x', weight: 3 }),
          instance('d', { zone: 'y', weight: 2 }),
        ),
      ).to.deep.equal([
        { locality: 'x/weight 1', priority: 0, weight: 1, count: 1 },
        { locality: 'x/weight 3', priority: 0, weight: 6, count: 2 },
        { locality: 'y/', priority: 0, weight: 2, count: 1 },
      ]);
    });

    it('of lost instances last, and of failing and draining ones none', () => {
      expect(
        localitiesOf(
          [],
          instance('a'),
          instance('b', { state: 'lost' }),
          instance('c', { state: 'failing' }),
          instance('d', { state: 'draining' }),
        ),
      ).to.deep.equal([
        { locality: '/', priority: 0, weight: 1, count: 1 },
        { locality: '/', priority: 1, weight: 1, count: 1 },
      ]);
    });

    it('of lost instances first when there is no other', () => {
      expect(localitiesOf([], instance('b', { state: 'lost' }))).to.deep.equal([
        { locality: '/', priority: 0, weight: 1, count: 1 },
      ]);
    });

    it('in one locality when they stand on a ring', () => {
      const ring = policy('loadBalancer: { policy: ring-hash }');
      expect(localitiesOf([ring], instance('a', { zone: 'x', weight: 7 }), instance('b', { zone: 'y' }))).to.deep.equal(
        [{ locality: '/', priority: 0, weight: 1, count: 2 }],
      );
    });

    it('with weights that add up to 32 bits', () => {
      const most = 4_294_967_295;
      const found = localitiesOf([], instance('a', { weight: most }), instance('b', { weight: most - 1 }));
      expect(found.reduce((sum, { weight }) => sum + weight, 0)).to.be.within(most - 10, most);
    });
  });

  it('names what these clients cannot do, and what they do instead', () => {
    const snapshot = snapshotOf([
      route(
        '{ name: a, match: [ { query: { q: { present: true } } } ], backends: [ { subset: v1 } ], sticky: { header: x } }',
        `{ name: b, ${to('v1')}, mirror: [ { subset: v2, percent: 1 } ], headers: { request: { set: { a: b } } }, retry: { attempts: 9, on: [ "501" ], perTryTimeout: 1s } }`,
        `{ name: c, match: [ { path: { prefix: /x } } ], ${to('v1')}, rewrite: { path: { prefix: /y }, host: h } }`,
        `{ name: d, match: [ { path: { prefix: /z } } ], redirect: { host: h } }`,
      ),
      policy(
        'loadBalancer: { policy: maglev }, hashOn: [ { cookie: c }, { header: h } ], localityPreference: same-zone-first, connectionPool: { maxConnections: 1, maxRequests: 1 }, outlierDetection: { consecutive5xx: 1 }, healthCheck: {}',
      ),
    ]);
    expect(problemsOf(snapshot, 'grpc').map(({ document, path }) => `${document}: ${path}`)).to.deep.equal([
      'Route default/reviews: spec.rules[0].match[0].query.q',
      'Route default/reviews: spec.rules[0].sticky',
      'Route default/reviews: spec.rules[1].mirror',
      'Route default/reviews: spec.rules[1].headers',
      'Route default/reviews: spec.rules[1].retry.on',
      'Route default/reviews: spec.rules[1].retry.perTryTimeout',
      'Route default/reviews: spec.rules[1].retry.attempts',
      'Route default/reviews: spec.rules[2].rewrite.path',
      'Route default/reviews: spec.rules[2].rewrite.host',
      'Route default/reviews: spec.rules[3].redirect',
      'TrafficPolicy default/reviews: spec.loadBalancer.policy',
      'TrafficPolicy default/reviews: spec.hashOn[0]',
      'TrafficPolicy default/reviews: spec.localityPreference',
      'TrafficPolicy default/reviews: spec.connectionPool.maxConnections',
      'TrafficPolicy default/reviews: spec.outlierDetection',
      'TrafficPolicy default/reviews: spec.healthCheck',
    ]);
    expect(problemsOf(snapshot, 'grpc')[1]?.sentence).to.equal(
      'sticky split is not possible for gRPC clients of reviews: they draw a backend for each request, in the same shares',
    );
  });

  it('has a listener for every address that a server of gRPC may listen on', () => {
    const prefix = 'grpc/server?xds.resource.listening_address=';
    for (const [address, want] of [
      ['127.0.0.1:50051', { address: '127.0.0.1', portValue: 50_051 }],
      ['[::]:80', { address: '::', portValue: 80 }],
    ] as const) {
      const resource = compileServerListener(`${prefix}${address}`);
      expect(resource && Listener.decode(resource.bytes).address?.socketAddress).to.deep.include(want);
    }
    for (const name of [`${prefix}somewhere:80`, `${prefix}127.0.0.1:99999`, '127.0.0.1:80', prefix]) {
      expect({ name, resource: compileServerListener(name) }).to.deep.equal({ name, resource: undefined });
    }
  });

  it('is the same bytes whatever order instances come in', () => {
    const instances = ['a', 'b', 'c'].map((id) => instanceOf('reviews', id, { zone: id === 'b' ? 'x' : 'y' }));
    const versions = (list: readonly InstanceRecord[]) =>
      [...(variantOf(snapshotOf([], list), 'grpc').get(typeUrls.endpoint)?.values() ?? [])].map(
        ({ version }) => version,
      );
    expect(versions(instances)).to.deep.equal(versions([...instances].reverse()));
  });
});
