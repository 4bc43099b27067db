import { expect } from 'chai';
import fc from 'fast-check';
import { ApiUnderTest, canary } from './api-under-test.ts';

const runs = Number(process.env.SLUICE_FUZZ_RUNS ?? 200);

/** What fetch can send as a header: visible ASCII. */
const headerText = fc.string({ unit: 'grapheme-ascii', maxLength: 40 }).map((text) => text.trim());

const headers = fc.record(
  {
    'if-match': fc.oneof(headerText, fc.constantFrom('*', '"1"', 'W/"1"', '-1')),
    'if-none-match': headerText,
    'x-sluice-by': headerText,
    'content-encoding': fc.constantFrom('gzip', 'br', 'deflate', 'identity', 'zip', ''),
    origin: fc.constantFrom('null', 'https://a.b', 'x'),
  },
  { requiredKeys: [] },
);

const types = fc.oneof(
  fc.constantFrom('application/yaml', 'application/json', 'text/yaml', 'application/json; charset=x', 'text/plain'),
  headerText,
);

/** A valid document with a random wound. */
const wounded = fc.tuple(fc.nat(), fc.nat({ max: 6 }), fc.string({ maxLength: 8 })).map(([at, cut, extra]) => {
  const text = canary(10);
  const place = at % text.length;
  return text.slice(0, place) + extra + text.slice(place + cut);
});

const bodies = fc.oneof(
  wounded,
  fc.string(),
  fc.json(),
  fc
    .record({ files: fc.array(fc.record({ name: fc.string(), text: fc.oneof(wounded, fc.string()) })) })
    .map((value) => JSON.stringify(value)),
  fc.uint8Array({ maxLength: 200 }),
);

const queries = fc.oneof(
  fc.constantFrom('', '?dryRun', '?wait=1ms', '?prune=a=b', '?message=x', '?wait=1ms&wait=2ms'),
  fc.string().map((text) => `?${encodeURI(text).replaceAll('#', '')}`),
);

describe('any request', () => {
  const api = new ApiUnderTest();
  before(() => api.start());
  after(() => api.stop());

  const calls = fc.constantFrom(
    ['POST', '/api/v1/apply'],
    ['PUT', '/api/v1/routes/canary'],
    ['PUT', '/api/v1/services/reviews/instances/a'],
  );

  it('property: never gets a 5xx, and a refusal says why', async () => {
    await fc.assert(
      fc.asyncProperty(
        calls,
        queries,
        headers,
        types,
        bodies,
        async ([method = '', path = ''], query, extra, type, bytes) => {
          const got = await api.ask(path + query, { method, headers: extra, raw: { type, bytes } });
          expect(got.status).to.be.below(500);
          const isProblem = got.headers.get('content-type') === 'application/problem+json';
          expect(isProblem).to.equal(got.status >= 400);
          expect(got.status < 400 || got.body.detail.length > 10).to.equal(true);
        },
      ),
      { numRuns: runs },
    );
    expect(api.logged).to.deep.equal([]);
  });
});
