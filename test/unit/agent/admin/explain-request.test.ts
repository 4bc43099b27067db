import { expect } from 'chai';
import { noPool } from '../../../../agent/admin/cluster-dump.ts';
import { readExplainBody } from '../../../../agent/admin/explain-body.ts';
import { explainRequest, type KnownMesh } from '../../../../agent/admin/explain-request.ts';
import type { MeshView } from '../../../../agent/view/mesh-view.ts';
import type { Input } from '../../../../proto/load.ts';
import { toStruct } from '../../../../proto/struct.ts';
import { type Cluster, HealthStatus, HTTPFault, type Route } from '../../../../proto/types.ts';
import { route, sticky, weighted } from '../../routing/resources.ts';
import { type EndpointWords, serviceResources, viewOf } from '../view/resources.ts';

const v1 = 'reviews.default|http|v1';
const v2 = 'reviews.default|http|v2';

interface Given {
  readonly routes?: readonly Input<Route>[];
  readonly instances?: readonly EndpointWords[];
  readonly policy?: Input<Cluster>;
  readonly zone?: string;
}

function mesh(view: MeshView, more: Partial<KnownMesh> = {}): KnownMesh {
  return {
    view,
    obstacle: '',
    standingOf: () => undefined,
    namespace: 'default',
    workers: 0,
    poolOf: () => noPool,
    ...more,
  };
}

/** A mesh with the service `reviews` at port 9080. */
function given({
  routes = [route('', { cluster: v1 })],
  instances = [{ id: 'r1', port: 1 }],
  policy = {},
  zone,
}: Given) {
  const clusters = { [v1]: instances, [v2]: [{ id: 'r9', port: 9 }] };
  return mesh(viewOf(serviceResources({ routes, clusters, policies: { [v1]: policy } }), undefined, zone));
}

function explained(known: KnownMesh, body: Record<string, unknown> = { host: 'reviews' }) {
  const read = readExplainBody(JSON.stringify(body));
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  return explainRequest(read.asked, known);
}

/** "r1 next: because", a line an instance. */
function verdicts(known: KnownMesh, body?: Record<string, unknown>): string[] | undefined {
  return explained(known, body).destination?.instances.map(
    ({ instance, verdict, because }) => `${instance} ${verdict}: ${because}`,
  );
}

const everything = { prefix: '/' };
const always = { numerator: 100 };

function fault(more: Input<HTTPFault>): Input<Route> {
  const filter = { type_url: HTTPFault.typeUrl, value: HTTPFault.encode(more) };
  return {
    ...route('shop/broken', { cluster: v1 }),
    typedPerFilterConfig: { 'envoy.filters.http.fault': filter },
  };
}

describe('what becomes of a request', () => {
  it('is told by rule, split and instance', () => {
    const known = given({
      routes: [
        route('shop/beta', { cluster: v2 }, { ...everything, headers: [{ name: 'x-beta', presentMatch: true }] }),
        route('shop/canary', weighted({ [v1]: 100 })),
      ],
    });
    expect(explained(known, { host: 'Reviews.default:9080', path: '/a?b' })).to.deep.equal({
      outcome: 'forwarded',
      sentence: 'the rule shop/canary takes it: it goes to reviews.default, subset v1, r1 (127.0.0.1:1)',
      answer: null,
      revision: 1,
      service: 'reviews.default',
      port: 9080,
      passedOver: [{ rule: 'shop/beta', because: 'header "x-beta" must be there; it is missing' }],
      rule: 'shop/canary',
      match: [],
      policy: [],
      split: [{ target: 'reviews.default, subset v1', cluster: v1, weight: 1, percent: 100 }],
      sticky: null,
      destination: {
        target: 'reviews.default, subset v1',
        cluster: v1,
        policy: 'round-robin',
        panic: false,
        notes: [],
        instances: [
          {
            instance: 'r1',
            address: '127.0.0.1',
            port: 1,
            zone: 'z1',
            weight: 1,
            availability: 'healthy',
            activeRequests: 0,
            ejectedUntil: null,
            check: null,
            verdict: 'next',
            because: 'it is its turn',
          },
        ],
      },
      notes: [],
    });
  });

  for (const { name, routes, body = {}, want } of [
    {
      name: 'may be a redirect',
      routes: [{ name: 'shop/moved', match: everything, redirect: { hostRedirect: 'new.example', responseCode: 4 } }],
      body: { path: '/a?b' },
      want: {
        outcome: 'answered',
        sentence: 'the rule shop/moved has it answered with 308 redirect: see http://new.example/a?b',
        answer: {
          status: 308,
          reason: 'redirect',
          sentence: 'see http://new.example/a?b',
          location: 'http://new.example/a?b',
        },
        policy: ['answered with 308 to http://new.example/a?b'],
        destination: null,
      },
    },
    {
      name: 'may be a redirect of what an URL names, whatever the Host header says',
      routes: [{ name: 'shop/moved', match: everything, redirect: { pathRedirect: '/new', responseCode: 1 } }],
      body: { path: 'http://reviews:9080/a', host: 'other' },
      want: { policy: ['answered with 302 to http://reviews:9080/new'], rule: 'shop/moved' },
    },
    {
      name: 'may be an abort',
      routes: [fault({ abort: { httpStatus: 418, percentage: always } })],
      want: {
        outcome: 'answered',
        sentence:
          'the rule shop/broken has it answered with 418 fault: the rule shop/broken answers with 418 on purpose',
        policy: ['100 % are answered with 418'],
      },
    },
    {
      name: 'is not decided by an abort that meets some',
      routes: [fault({ abort: { httpStatus: 418, percentage: { numerator: 50 } } })],
      want: { outcome: 'forwarded', policy: ['50 % are answered with 418'] },
    },
    {
      name: 'is told with its copies',
      routes: [
        route('shop/m', {
          cluster: v1,
          requestMirrorPolicies: [{ cluster: v2, runtimeFraction: { defaultValue: { numerator: 5 } } }],
        }),
      ],
      want: { outcome: 'forwarded', policy: ['5 % are copied to reviews.default, subset v2'] },
    },
    {
      name: 'follows the sticky key',
      routes: [route('shop/s', sticky({ [v1]: 1, [v2]: 1 }, { header: 'x-user' }))],
      body: { headers: { 'x-user': 'ann' } },
      want: { sticky: { key: 'header "x-user"', value: 'ann', target: 'reviews.default, subset v1' } },
    },
    {
      name: 'says that a sticky key is missing',
      routes: [route('shop/s', sticky({ [v1]: 1, [v2]: 1 }, { cookie: 'canary' }))],
      want: { sticky: { key: 'cookie "canary"', value: null, target: null } },
    },
    {
      name: 'may be that no rule takes it',
      routes: [route('shop/a', { cluster: v1 }, { path: '/a' })],
      body: { path: '/b' },
      want: {
        outcome: 'answered',
        sentence: 'the agent answers with 404 no-route: no rule of reviews.default:9080 takes GET /b',
        passedOver: [{ rule: 'shop/a', because: 'the path must be "/a"; it is "/b"' }],
        rule: null,
      },
    },
    {
      name: 'may be that the service has no such port',
      body: { host: 'reviews:1' },
      want: {
        sentence: 'the agent answers with 404 no-route: reviews.default has no port 1; it has 9080',
        service: 'reviews.default',
        port: 1,
      },
    },
    {
      name: 'is the same at the local port of the service, whatever its Host',
      body: { service: 'reviews:9080', host: 'localhost' },
      want: {
        outcome: 'forwarded',
        rule: null,
        sentence: 'reviews.default has no Route: it goes to reviews.default, subset v1, r1 (127.0.0.1:1)',
      },
    },
    {
      name: 'may be that it cannot be read',
      body: { headers: { 'transfer-encoding': 'gzip' } },
      want: {
        outcome: 'answered',
        answer: {
          status: 400,
          reason: 'bad-request',
          sentence:
            'this is no HTTP/1.1 request that can be passed on: Transfer-Encoding is not "chunked" alone (RFC 9112, 6.1)',
          location: null,
        },
      },
    },
    {
      name: 'may be that it is addressed to nobody',
      body: { host: 'a:b' },
      want: { sentence: 'the agent answers with 400 bad-request: "a:b" is no host with or without a port' },
    },
    {
      name: 'may be that it leaves the mesh, for an address is no service',
      body: { path: 'http://10.0.0.1/x' },
      want: {
        outcome: 'outside',
        sentence: '"10.0.0.1" is no service of the mesh; passed on to 10.0.0.1:80, as by an HTTP proxy',
      },
    },
  ]) {
    it(name, () =>
      expect(explained(given({ ...(routes && { routes }) }), { host: 'reviews', ...body })).to.deep.include(want),
    );
  }

  for (const { standing, obstacle = '', body, want } of [
    {
      standing: undefined,
      want: 'unknown: "orders" is not known to this agent yet: the first request asks the control plane, and waits for the answer, 3 s at most',
    },
    {
      standing: 'asked',
      obstacle: 'the server holds its answer',
      want: 'unknown: "orders" is not known to this agent yet: the control plane has been asked, and waits for the answer, 3 s at most: the server holds its answer',
    },
    {
      standing: 'absent',
      want: 'answered: the agent answers with 404 no-route: "orders" is no service of the mesh',
    },
    {
      standing: 'absent',
      body: { path: 'http://orders:8080/' },
      want: 'outside: "orders" is no service of the mesh; passed on to orders:8080, as by an HTTP proxy',
    },
    {
      standing: 'unavailable',
      obstacle: 'the control plane cannot be asked',
      want: 'answered: the agent answers with 503 unavailable: whether "orders" is a service of the mesh is not known: the control plane cannot be asked',
    },
    {
      standing: 'unusable',
      want: 'answered: the agent answers with 503 unavailable: whether "orders" is a service of the mesh is not known: what the control plane sent for it cannot be used',
    },
  ] as const) {
    it(`of a name that is not in use is told by what is known of it: ${standing ?? 'nothing'}`, () => {
      const known = mesh(given({}).view, { standingOf: () => standing, ...(obstacle && { obstacle }) });
      const { outcome, sentence } = explained(known, body ?? { host: 'orders' });
      expect(`${outcome}: ${sentence}`).to.equal(want);
    });
  }

  it('is only looked at: turns and splits stay where they are', () => {
    const routes = [route('shop/canary', weighted({ [v1]: 1, [v2]: 1 }))];
    const known = given({
      routes,
      instances: [
        { id: 'a', port: 1 },
        { id: 'b', port: 2 },
      ],
    });
    const first = explained(known);
    for (let n = 0; n < 5; n++) expect(explained(known)).to.deep.equal(first);
  });

  it('says that it is a guess when other processes carry requests', () => {
    expect(explained(mesh(given({}).view, { workers: 4 })).notes[0]).to.match(/^4 processes carry requests/);
  });

  for (const { limit, acquire, why } of [
    { limit: 'maxRequests', acquire: 'tryAcquireRequest', why: 'too many requests are under way' },
    { limit: 'maxPendingRequests', acquire: 'tryAcquirePending', why: 'too many requests wait for a connection' },
  ] as const) {
    it(`is an overflow when ${limit} is reached`, () => {
      const known = given({ policy: { circuitBreakers: { thresholds: [{ [limit]: { value: 1 } }] } } });
      known.view.clusters.get(v1)?.breaker[acquire]();
      const { outcome, answer } = explained(known);
      const sentence = `reviews.default, subset v1: ${why}`;
      expect([outcome, answer?.reason, answer?.sentence]).to.deep.equal(['answered', 'overflow', sentence]);
      expect(verdicts(known)?.[0]).to.match(new RegExp(`^\\S+ later: ${why}$`));
    });
  }
});

describe('which instance takes a request', () => {
  const two = [
    { id: 'a', port: 1 },
    { id: 'b', port: 2 },
  ];

  it('is anybody of round robin that has not begun, and then the one whose turn it is', () => {
    const known = given({ instances: two });
    const before = verdicts(known);
    known.view.clusters.get(v1)?.balancer.pick([], () => 0, undefined);
    expect([before, verdicts(known)]).to.deep.equal([
      ['a possible: the first turn is anybody’s', 'b possible: the first turn is anybody’s'],
      ['a later: it is the turn of another', 'b next: it is its turn'],
    ]);
  });

  it('is the less busy of two', () => {
    const known = given({ instances: two, policy: { lbPolicy: 1 } });
    const [a] = known.view.clusters.get(v1)?.endpoints ?? [];
    if (a !== undefined) a.load.active = 3;
    expect(verdicts(known)).to.deep.equal([
      'a later: it is busier than all others',
      'b next: nobody else has as few requests under way for its weight',
    ]);
  });

  it('is the one that the hash belongs to, or anybody when there is nothing to hash', () => {
    const hashOn = { metadata: { filterMetadata: { sluice: toStruct({ hashOn: [{ header: 'x-user' }] }) } } };
    const known = given({ instances: two, policy: { lbPolicy: 5, ...hashOn } });
    const next = verdicts(known, { host: 'reviews', headers: { 'x-user': 'ann' } });
    expect(next?.sort()).to.have.length(2);
    expect(next?.filter((line) => line.endsWith('next: the hash of the request belongs to it'))).to.have.length(1);
    expect(next?.filter((line) => line.endsWith('later: the hash of the request belongs to another'))).to.have.length(
      1,
    );
    expect(explained(known).destination?.notes).to.deep.equal([
      'maglev finds nothing of what hashOn names: chance decides',
    ]);
  });

  it('is none that fails, drains or is lost', () => {
    const instances = [
      { id: 'a', port: 1, health: HealthStatus.UNHEALTHY },
      { id: 'b', port: 2, health: HealthStatus.DRAINING },
      { id: 'c', port: 3, health: HealthStatus.DEGRADED },
      { id: 'd', port: 4 },
    ];
    expect(verdicts(given({ instances }))).to.deep.equal([
      'a never: it fails: its application does not answer',
      'b never: it drains',
      'c last: its lease is lost: it is asked when no healthy instance can be',
      'd next: it is its turn',
    ]);
  });

  it('may be nobody', () => {
    const known = given({ instances: [{ id: 'a', port: 1, health: HealthStatus.DRAINING }] });
    const { outcome, answer, destination } = explained(known);
    expect([outcome, answer?.reason, destination?.instances.length]).to.deep.equal([
      'answered',
      'no-healthy-instance',
      1,
    ]);
  });

  const outlierDetection = {
    consecutive_5xx: { value: 1 },
    maxEjectionPercent: { value: 100 },
    alwaysEjectOneHost: { value: true },
  };
  const atMs = Date.parse('2026-01-01T00:00:00Z');
  const ejected = 'it failed too often and is ejected until 2026-01-01T00:00:30.000Z';

  for (const { name, panic, eject, want, notes = [] } of [
    {
      name: 'is none that is ejected while there are others',
      panic: 50,
      eject: 1,
      want: [`a last: ${ejected}: it is asked when there is nobody else`, 'b next: it is its turn'],
    },
    {
      name: 'is anybody in panic',
      panic: 50,
      eject: 2,
      want: [
        `a possible: ${ejected}, but suspicion is ignored; the first turn is anybody’s`,
        `b possible: ${ejected}, but suspicion is ignored; the first turn is anybody’s`,
      ],
      notes: ['panic: too few healthy instances are free of suspicion, so that it is ignored'],
    },
    {
      name: 'is nobody when all are ejected and there is no panic',
      panic: 0,
      eject: 2,
      want: [`a never: ${ejected}`, `b never: ${ejected}`],
    },
  ]) {
    it(name, () => {
      const commonLbConfig = { healthyPanicThreshold: { value: panic } };
      const known = given({ instances: two, policy: { outlierDetection, commonLbConfig } });
      const cluster = known.view.clusters.get(v1);
      for (const { load } of cluster?.endpoints.slice(0, eject) ?? []) cluster?.outlier?.report(load, '5xx', atMs);
      expect([verdicts(known), explained(known).destination?.notes]).to.deep.equal([want, notes]);
    });
  }

  it('is one of the own zone', () => {
    const metadata = { filterMetadata: { sluice: toStruct({ localityPreference: 'same-zone-first' }) } };
    const instances = [
      { id: 'a', port: 1, zone: 'here' },
      { id: 'b', port: 2, zone: 'there' },
    ];
    const known = given({ instances, policy: { metadata }, zone: 'here' });
    expect(verdicts(known)).to.deep.equal([
      'a next: it is its turn',
      'b later: it is in the zone there, not in the agent’s own',
    ]);
    expect(explained(known).destination?.notes).to.deep.equal([
      '100 % of the requests go to the agent’s own zone, here',
    ]);
    const nowhere = given({ instances, policy: { metadata } });
    expect(explained(nowhere).destination?.notes).to.deep.equal([
      'localityPreference has no effect: this agent does not know its zone (--zone)',
    ]);
  });
});

describe('what becomes of a connection', () => {
  const db = 'db.default|sql|';
  const tcp = { metadata: { filterMetadata: { sluice: toStruct({ protocol: 'tcp' }) } } };
  const known = mesh(
    viewOf(
      serviceResources({
        service: 'db.default',
        port: 5432,
        routes: [route('', { cluster: db })],
        clusters: { [db]: [{ id: 'd1', port: 1 }] },
        policies: { [db]: tcp },
      }),
    ),
  );

  it('to the local port of a tcp service is told as one', () => {
    const { outcome, sentence, notes } = explained(known, { service: 'db:5432' });
    expect([outcome, sentence, notes]).to.deep.equal([
      'forwarded',
      'db.default has no Route: it goes to db.default, port sql, d1 (127.0.0.1:1)',
      ['the port is of protocol tcp: method, path and headers say nothing, each connection is routed as a whole'],
    ]);
  });

  it('that a CONNECT asks for is forwarded, and another request is not', () => {
    const connect = explained(known, { method: 'CONNECT', host: 'db:5432' });
    const { outcome, answer } = explained(known, { host: 'db:5432' });
    expect([connect.outcome, outcome, answer?.reason]).to.deep.equal(['forwarded', 'answered', 'bad-request']);
  });
});
