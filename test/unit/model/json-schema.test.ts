import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import fc from 'fast-check';
import { jsonSchema, schemaNames } from '../../../model/json-schema.ts';
import { arbitraryResource } from './arbitraries.ts';
import { fuzz } from './fuzz-runs.ts';
import { route, routeWith, service, trafficPolicy } from './reading.ts';

const ajv = new Ajv2020({ strict: true, allErrors: true });
const validators = Object.fromEntries(schemaNames.map((name) => [name, ajv.compile(jsonSchema(name))]));

/** The example of the design, every field of the format in use. */
const full = [
  routeWith({
    name: 'beta-users',
    match: [
      {
        path: { prefix: '/api' },
        method: 'GET',
        headers: { 'x-beta': { exact: '1' } },
        query: { debug: { present: true } },
      },
    ],
    sticky: { header: 'x-user-id' },
    timeout: '2s',
    retry: { attempts: 2, on: ['connect-failure', 'refused', 'reset', '503', 503], perTryTimeout: '500ms' },
    mirror: [{ subset: 'v3', percent: 5 }],
    fault: { delay: { duration: '100ms', percent: 1 }, abort: { status: 503, percent: 0.5 } },
    headers: { request: { set: {}, add: {}, remove: [] }, response: { set: {}, add: {}, remove: [] } },
    rewrite: { path: { prefix: '/' }, host: 'reviews.internal' },
  }),
  route({ port: 'http', rules: [{ redirect: { status: 308, host: 'h', path: { full: '/x' } } }] }),
  service({
    ports: [{ name: 'http', port: 9080, protocol: 'http' }],
    subsets: [{ name: 'v1', labels: { version: 'v1' } }],
    aliases: ['com.example.reviews.ReviewFacade'],
    hops: 'both',
    instanceAddress: 'balance',
  }),
  trafficPolicy({
    subset: 'v2',
    loadBalancer: { policy: 'least-request' },
    hashOn: [{ header: 'x-user-id' }],
    localityPreference: 'same-zone-first',
    connectionPool: {
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      idleTimeout: '60s',
      connectTimeout: '1s',
    },
    outlierDetection: { consecutive5xx: 5, interval: '10s', baseEjectionTime: '30s', maxEjectionPercent: 50 },
    healthCheck: {
      http: { path: '/healthz' },
      interval: '5s',
      timeout: '1s',
      unhealthyThreshold: 3,
      healthyThreshold: 2,
    },
  }),
];

describe('the JSON Schema of rule files', () => {
  for (const name of schemaNames) {
    it(`docs/schema/${name}.json is current (npm run generate writes it)`, () => {
      const file = readFileSync(new URL(`../../../docs/schema/${name}.json`, import.meta.url), 'utf8');
      expect(file).to.equal(`${JSON.stringify(jsonSchema(name), null, 2)}\n`);
    });
  }

  for (const document of full) {
    const { kind } = document as { kind: string }; // as the makers in reading.ts make them
    it(`takes the design's ${kind}`, () => {
      for (const name of [kind.toLowerCase(), 'sluice']) {
        expect(validators[name]?.(document), JSON.stringify(validators[name]?.errors)).to.equal(true);
      }
    });
  }

  for (const [name, document] of [
    ['an unknown field', route({ rulez: [] })],
    ['a duration without unit', routeWith({ timeout: 2 })],
    ['a weight below 0', routeWith({ backends: [{ weight: -1 }] })],
    ['a path that is two things', routeWith({ match: [{ path: { exact: '/', prefix: '/' } }] })],
    ['a name in upper case', service({}, 'Reviews')],
    ['another version', { ...service(), apiVersion: 'v1' }],
    ['another kind', { ...service(), kind: 'Gateway' }],
    ['text', 'Route'],
  ] as const) {
    it(`refuses ${name}`, () => expect(validators.sluice?.(document)).to.equal(false));
  }

  it('property: takes every resource that the parser takes', () => {
    fc.assert(
      fc.property(arbitraryResource, (resource) => {
        expect(validators.sluice?.(resource), JSON.stringify(validators.sluice?.errors)).to.equal(true);
      }),
      fuzz,
    );
  });
});
