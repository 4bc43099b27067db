import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RequestExplanation } from '../../agent/admin/explain-request.ts';
import { formatHostPort } from '../../process/host-port.ts';
import { ask } from '../support/ask.ts';
import { fencesOf, sectionOf } from '../support/fences.ts';
import { type Caller, type Mesh, startMesh } from '../support/start-mesh.ts';

const top = join(import.meta.dirname, '../..');

/** A request, as `/explain` takes it. */
interface Asked {
  readonly host: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface LoggedLine {
  readonly [key: string]: unknown;
}

async function explain({ agent }: Caller, body: unknown): Promise<RequestExplanation> {
  const response = await fetch(`http://${formatHostPort(agent.addresses.admin)}/explain`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return JSON.parse(await response.text());
}

async function page({ agent }: Caller, path: string): Promise<string> {
  return (await fetch(`http://${formatHostPort(agent.addresses.admin)}${path}`)).text();
}

describe('an explanation and the request after it', () => {
  let mesh: Mesh;
  let web: Caller;
  let log: string;

  before(async () => {
    mesh = await startMesh();
    await mesh.startInstance('reviews', 'v1', 'reviews-a');
    await mesh.startInstance('reviews', 'v1', 'reviews-b');
    await mesh.startInstance('reviews', 'v2', 'reviews-c');
    await mesh.startInstance('ratings', 'v1', 'ratings-a');
    log = join(mesh.folder, 'access.jsonl');
    web = await mesh.startCaller('web', 'web-1', { accessLog: log });
  });

  after(() => mesh.close());

  const lines = (): LoggedLine[] =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));

  /** What was foreseen, and what the access log says of the request that was sent then. */
  async function foreseenAndSeen(asked: Asked) {
    const { host, method = 'GET', path = '/', headers = {} } = asked;
    const foreseen = await explain(web, asked);
    const before = lines().length;
    await ask({ at: formatHostPort(web.agent.addresses.outbound), host, method, target: path, headers });
    await mesh.until(async () => lines().length > before);
    const line = lines().at(-1) ?? {};
    const candidates = (foreseen.destination?.instances ?? [])
      .filter(({ verdict }) => verdict === 'next' || verdict === 'possible')
      .map(({ instance }) => instance);
    return { foreseen, line, candidates };
  }

  async function expectAgreement(asked: Asked): Promise<void> {
    const { foreseen, line, candidates } = await foreseenAndSeen(asked);
    const { outcome, rule, answer, destination, service, revision } = foreseen;
    const where = JSON.stringify({ asked, foreseen, line });
    expect([line.rule, line.service, line.revision], where).to.deep.equal([rule, service, service && revision]);
    if (outcome === 'forwarded') {
      expect(line.cluster, where).to.equal(destination?.cluster);
      expect(candidates, where).to.include(line.instance);
      expect(line.reason, where).to.equal(null);
    } else {
      expect([line.status, line.reason], where).to.deep.equal([answer?.status, answer?.reason]);
    }
  }

  const route = (service: string, ...rules: readonly string[]) => `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${service}, labels: { of: case } }
spec:
  service: ${service}
  rules:
${rules.map((rule) => `    - ${rule}\n`).join('')}`;

  const policy = (spec: string) => `---
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: reviews, labels: { of: case } }
spec: { service: reviews, ${spec} }
`;

  const split = '{ name: split, backends: [ { subset: v1, weight: 2 }, { subset: v2, weight: 1 } ] }';
  const reviews = { host: 'reviews' };

  for (const { name, rules, requests } of [
    {
      name: 'without a Route',
      rules: route('ratings', '{ backends: [ {} ] }'),
      requests: [reviews, { host: 'reviews.default:80', path: '/x' }, { host: 'ratings' }],
    },
    {
      name: 'with precedence by path, method, header and query',
      rules: route(
        'reviews',
        '{ name: exact, match: [ { path: { exact: /a/b } } ], backends: [ { subset: v2 } ] }',
        '{ name: longer, match: [ { path: { prefix: /a/b } } ], backends: [ { subset: v1 } ] }',
        '{ name: post, match: [ { path: { prefix: /a }, method: POST } ], backends: [ { subset: v1 } ] }',
        '{ name: beta, match: [ { path: { prefix: /a }, headers: { x-beta: { exact: "1" } } } ], backends: [ { subset: v2 } ] }',
        '{ name: debug, match: [ { path: { prefix: /a }, query: { debug: { present: true } } } ], backends: [ { subset: v2 } ] }',
        '{ name: regex, match: [ { path: { regex: "/v[12]/.*" } } ], backends: [ { service: ratings } ] }',
      ),
      requests: [
        { ...reviews, path: '/a/b' },
        { ...reviews, path: '/a/b/c' },
        { ...reviews, path: '/a/x', method: 'POST' },
        { ...reviews, path: '/a', headers: { 'x-beta': '1' } },
        { ...reviews, path: '/a', headers: { 'X-Beta': '2' } },
        { ...reviews, path: '/a?debug' },
        { ...reviews, path: '/v1/x' },
        { ...reviews, path: '/v3/x' },
      ],
    },
    {
      name: 'with a split',
      rules: route('reviews', split),
      requests: Array.from({ length: 12 }, () => reviews),
    },
    {
      name: 'with a split and least-request',
      rules: `${route('reviews', split)}${policy('loadBalancer: { policy: least-request }')}`,
      requests: Array.from({ length: 6 }, () => reviews),
    },
    {
      name: 'with a hash',
      rules: `${route('reviews', '{ backends: [ {} ] }')}${policy('loadBalancer: { policy: maglev }, hashOn: [ { header: x-user } ]')}`,
      requests: ['ann', 'bob', 'cid', 'dora', 'ed'].map((user) => ({ ...reviews, headers: { 'x-user': user } })),
    },
    {
      name: 'with a sticky split',
      rules: route('reviews', '{ backends: [ { subset: v1 }, { subset: v2 } ], sticky: { header: x-user } }'),
      requests: ['ann', 'bob', 'cid', 'dora', 'ed'].map((user) => ({ ...reviews, headers: { 'x-user': user } })),
    },
    {
      name: 'with redirects, faults and nothing at all',
      rules: route(
        'reviews',
        '{ match: [ { path: { prefix: /old } } ], redirect: { status: 308, path: { prefix: /new } } }',
        '{ match: [ { path: { prefix: /broken } } ], backends: [ {} ], fault: { abort: { status: 418, percent: 100 } } }',
        '{ match: [ { path: { prefix: /here } } ], backends: [ {} ], timeout: 5s, rewrite: { path: { prefix: / } } }',
      ),
      requests: ['/old/x?y', '/broken', '/here', '/nowhere'].map((path) => ({ ...reviews, path })),
    },
    {
      name: 'of hosts that are nobody',
      rules: route('reviews', split),
      requests: [{ host: 'reviews:81' }, { host: '10.0.0.1' }],
    },
  ]) {
    it(`agree ${name}`, async () => {
      const { status, body } = await mesh.apply(rules, 'wait=10s&prune=of%3Dcase');
      expect([status, body.errors]).to.deep.equal([200, undefined]);
      // A name that is not known yet is asked for by a request.
      for (const host of ['reviews', 'ratings']) await web.get(host);
      for (const asked of requests) await expectAgreement(asked);
    });
  }

  it('agree on the exact instance where no chance is left', async () => {
    await mesh.apply(route('reviews', '{ backends: [ { subset: v1 } ] }'));
    await web.get('reviews');
    const seen: unknown[] = [];
    for (let n = 0; n < 6; n++) {
      const { line, candidates } = await foreseenAndSeen(reviews);
      expect(candidates).to.deep.equal([line.instance]);
      seen.push(line.instance);
    }
    expect(new Set(seen).size).to.equal(2);
  });

  it('leave no other trace than the request', async () => {
    const others = await mesh.startCaller('other', 'other-1');
    await mesh.apply(route('reviews', split));
    await others.get('reviews');
    const numbers = async () =>
      (await page(others, '/metrics'))
        .split('\n')
        .filter((line) => !/^(?:#|process_|nodejs_|sluice_agent_last_good_)/.test(line));
    const before = await numbers();
    for (let n = 0; n < 10; n++) {
      await explain(others, reviews);
      await explain(others, { host: 'nobody-asked-for-this' });
      await explain(others, { host: 'reviews', path: '/none' });
    }
    const after = await numbers();
    expect(after.filter((line, index) => line !== before[index])).to.deep.equal([]);
    expect(await others.count(30, 'reviews')).to.deep.equal({ 'reviews v1': 20, 'reviews v2': 10 });
  });

  it('say of a name that nobody has addressed that it would be asked for, and it is', async () => {
    const others = await mesh.startCaller('third', 'third-1');
    const outcomes = [await explain(others, reviews)];
    await others.get('reviews');
    outcomes.push(await explain(others, reviews));
    await others.get('nobody');
    outcomes.push(await explain(others, { host: 'nobody' }));
    expect(outcomes.map(({ outcome, answer }) => answer?.reason ?? outcome)).to.deep.equal([
      'unknown',
      'forwarded',
      'no-route',
    ]);
  });
});

describe('docs/agent.md', () => {
  let mesh: Mesh;
  before(async () => {
    mesh = await startMesh();
  });
  after(() => mesh.close());

  it('shows an explanation as it is', async () => {
    const section = sectionOf(readFileSync(join(top, 'docs/agent.md'), 'utf8'), '## Where a request would go');
    const [command, shown] = fencesOf(section);
    const [rules] = fencesOf(readFileSync(join(top, 'docs/rules.md'), 'utf8'));
    await mesh.startInstance('reviews', 'v1', 'reviews-1');
    await mesh.startInstance('reviews', 'v2', 'reviews-2');
    const web = await mesh.startCaller();
    await mesh.apply(rules?.text ?? '');
    await web.get('reviews', '/', { 'x-beta': '1' });
    const [, body = ''] = /-d '(.*)'/.exec(command?.text ?? '') ?? [];
    const text = JSON.stringify(await explain(web, body))
      .replace(/127\.0\.0\.1:\d+/g, '10.0.0.7:15006')
      .replace(/"127\.0\.0\.1","port":\d+/g, '"10.0.0.7","port":15006');
    expect(JSON.parse(text)).to.deep.equal(JSON.parse(shown?.text ?? ''));
  });
});
