import { expect } from 'chai';
import { ApiUnderTest, canary, service } from './api-under-test.ts';

const one = '/api/v1/routes/canary';

describe('resources one by one', () => {
  let api: ApiUnderTest;
  beforeEach(async () => {
    api = new ApiUnderTest();
    await api.start();
  });
  afterEach(() => api.stop());

  const put = (yaml: string, headers: Record<string, string> = {}) => ({ method: 'PUT', yaml, headers });
  const apply = (yaml: string) => api.expect(200, '/api/v1/apply', { yaml });

  it('gives back what PUT takes, with its revision as ETag', async () => {
    const { headers } = await api.expect(200, one, put(canary(10)));
    expect(headers.get('etag')).to.equal('"1"');
    await apply(service('other'));
    const got = await api.expect(200, one);
    expect(got.headers.get('etag')).to.equal('"1"');
    const again = await api.expect(200, one, { method: 'PUT', json: got.body });
    expect(again.body.changes).to.deep.equal([]);
  });

  it('answers 304 to who has it already', async () => {
    await apply(canary(10));
    for (const [tag, status] of [
      ['"1"', 304],
      ['W/"1"', 304],
      ['"7", "1"', 304],
      ['*', 304],
      ['"2"', 200],
      ['garbage', 200],
    ] as const) {
      const got = await api.ask(one, { headers: { 'if-none-match': tag } });
      expect(got.status, tag).to.equal(status);
    }
  });

  for (const { sentence, headers, status } of [
    { sentence: 'replaces the revision that If-Match names', headers: { 'if-match': '"1"' }, status: 200 },
    { sentence: 'replaces any with If-Match: *', headers: { 'if-match': '*' }, status: 200 },
    { sentence: 'refuses another revision than If-Match names', headers: { 'if-match': '"2"' }, status: 409 },
    { sentence: 'refuses to create what exists', headers: { 'if-none-match': '*' }, status: 409 },
    { sentence: 'refuses an If-None-Match that is no star', headers: { 'if-none-match': '"1"' }, status: 400 },
    { sentence: 'refuses both at once', headers: { 'if-match': '"1"', 'if-none-match': '*' }, status: 400 },
    { sentence: 'refuses an If-Match that is no revision', headers: { 'if-match': 'abc' }, status: 400 },
  ]) {
    it(`PUT ${sentence}`, async () => {
      await apply(canary(10));
      await api.expect(status, one, put(canary(20), headers));
      expect(api.fake.revision).to.equal(status === 200 ? 2 : 1);
    });
  }

  it('PUT with If-Match: * refuses to create', async () => {
    const { body } = await api.expect(409, one, put(canary(10), { 'if-match': '*' }));
    const { code, detail } = body;
    expect({ code, detail }).to.deep.equal({ code: 'ETAG_CONFLICT', detail: 'Route/default/canary does not exist' });
  });

  it('PUT with If-None-Match: * says that it exists already', async () => {
    await apply(canary(10));
    const { body } = await api.expect(409, one, put(canary(20), { 'if-none-match': '*' }));
    const { code, detail } = body;
    expect({ code, detail }).to.deep.equal({
      code: 'RESOURCE_EXISTS',
      detail: 'Route/default/canary exists already; its revision is 1',
    });
  });

  it('PUT with If-None-Match: * creates', async () => {
    await api.expect(200, one, put(canary(10), { 'if-none-match': '*' }));
  });

  for (const { sentence, path, yaml, at } of [
    { sentence: 'another name', path: '/api/v1/routes/other', yaml: canary(10), at: '3: metadata.name' },
    { sentence: 'another namespace', path: `${one}?namespace=prod`, yaml: canary(10), at: '3: metadata.namespace' },
    { sentence: 'another kind', path: '/api/v1/services/canary', yaml: canary(10), at: '2: kind' },
    { sentence: 'a second document', path: one, yaml: `${canary(10)}---\n${service('s')}`, at: '9: ' },
  ]) {
    it(`PUT refuses ${sentence} than the path says, with its line`, async () => {
      const { body } = await api.expect(422, path, put(yaml));
      expect(`${body.errors[0].line}: ${body.errors[0].path}`).to.equal(at);
      expect(api.fake.revision).to.equal(0);
    });
  }

  it('keeps namespaces apart', async () => {
    await apply(canary(10, { namespace: 'prod' }));
    await api.expect(404, one);
    await api.expect(200, `${one}?namespace=prod`);
  });

  it('DELETE removes it, and says so in a dry run without doing it', async () => {
    await apply(canary(10));
    await api.expect(200, `${one}?dryRun=true`, { method: 'DELETE' });
    await api.expect(409, one, { method: 'DELETE', headers: { 'if-match': '"9"' } });
    const { body } = await api.expect(200, `${one}?message=gone`, { method: 'DELETE', headers: { 'if-match': '1' } });
    expect(body).to.deep.include({ revision: 2 });
    const { body: missing } = await api.expect(404, one, { method: 'DELETE' });
    expect(missing.detail).to.equal('no Route document named "canary" in namespace "default"');
  });

  it('shows a service that no document describes as the document that would change nothing', async () => {
    await api.expect(201, '/api/v1/services/reviews/instances/a', {
      method: 'PUT',
      json: { address: '::1', port: 80 },
    });
    const got = await api.expect(200, '/api/v1/services/reviews');
    expect(got.headers.get('etag')).to.equal('"0"');
    expect(got.body.spec.ports).to.deep.equal([{ name: 'http', port: 80, protocol: 'http' }]);
    await api.expect(200, '/api/v1/services/reviews', {
      method: 'PUT',
      json: got.body,
      headers: { 'if-match': '"0"' },
    });
    const { body } = await api.expect(200, '/api/v1/services');
    expect(body.items[0]).to.deep.include({ name: 'reviews', declared: true, revision: 1 });
  });

  it('lists page by page, in order, each item once', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `s${String(index).padStart(2, '0')}`);
    await apply(
      [...names]
        .reverse()
        .map((name) => service(name))
        .join('---\n'),
    );
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const cursor: string = next === '' ? '' : `&cursor=${next}`;
      const { body } = await api.expect(200, `/api/v1/services?limit=10${cursor}`);
      seen.push(...body.items.map((item: { name: string }) => item.name));
      next = body.next;
    }
    expect(seen).to.deep.equal(names);
  });

  it('keeps its place in a list when items come and go', async () => {
    await apply(['a', 'c', 'e'].map((name) => service(name)).join('---\n'));
    const { body: first } = await api.expect(200, '/api/v1/services?limit=2');
    await api.expect(200, '/api/v1/services/c', { method: 'DELETE' });
    await apply(`${service('b')}---\n${service('d')}`);
    const { body: second } = await api.expect(200, `/api/v1/services?limit=2&cursor=${first.next}`);
    expect(second.items.map((item: { name: string }) => item.name)).to.deep.equal(['d', 'e']);
  });

  for (const query of ['limit=0', 'limit=1001', 'limit=ten', 'cursor=!!', 'cursor=YWJj', 'namespace=A_B', 'x=1']) {
    it(`refuses a list with ${query}`, async () => {
      const { body } = await api.expect(400, `/api/v1/routes?${query}`);
      expect(body.errors[0].path).to.match(/^query\./);
    });
  }

  it('lists documents with the revision that last changed each', async () => {
    await apply(canary(10));
    await apply(service('other'));
    const { body } = await api.expect(200, '/api/v1/routes?namespace=default');
    expect(body.items.map((item: { revision: number }) => item.revision)).to.deep.equal([1]);
    const { body: elsewhere } = await api.expect(200, '/api/v1/trafficpolicies?namespace=prod');
    expect(elsewhere).to.deep.equal({ items: [], next: null });
  });
});
