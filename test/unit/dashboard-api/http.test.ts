import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { ApiUnderTest, type AskOptions, canary, service } from './api-under-test.ts';

const apply = '/api/v1/apply';
const mebibyte = 1024 * 1024;

describe('requests that are wrong', () => {
  let api: ApiUnderTest;
  before(async () => {
    api = new ApiUnderTest();
    await api.start();
  });
  after(() => api.stop());

  const large = (bytes: number) => `# ${'x'.repeat(bytes)}\n`;
  const rows: { sentence: string; path?: string; options?: AskOptions; status: number; code: string; at?: string }[] = [
    { sentence: 'an unknown path', path: '/api/v1/rout', status: 404, code: 'ROUTE_PATH_NOT_FOUND' },
    { sentence: 'a path in another case', path: '/API/v1/routes', status: 404, code: 'ROUTE_PATH_NOT_FOUND' },
    { sentence: 'a path that cannot be decoded', path: '/api/v1/routes/%ff', status: 400, code: 'INVALID_REQUEST' },
    { sentence: 'GET where only POST is', path: apply, status: 405, code: 'METHOD_NOT_ALLOWED' },
    {
      sentence: 'what comes later',
      path: '/api/v1/plan',
      options: { yaml: '' },
      status: 501,
      code: 'NOT_SUPPORTED_YET',
    },
    { sentence: 'what comes later too', path: '/api/v1/explain', status: 501, code: 'NOT_SUPPORTED_YET' },
    {
      sentence: 'an unknown query parameter',
      path: '/healthz?verbose=1',
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.verbose',
    },
    {
      sentence: 'a wait without unit',
      path: `${apply}?wait=10`,
      options: { yaml: '' },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.wait',
    },
    {
      sentence: 'a wait above 1h',
      path: `${apply}?wait=2h`,
      options: { yaml: '' },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.wait',
    },
    {
      sentence: 'a prune without value',
      path: `${apply}?prune=team`,
      options: { yaml: '' },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.prune',
    },
    {
      sentence: 'a prune that is no label',
      path: `${apply}?prune=!!`,
      options: { yaml: '' },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.prune',
    },
    {
      sentence: 'an empty prune',
      path: `${apply}?prune=`,
      options: { yaml: '' },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.prune',
    },
    {
      sentence: 'a prune that names a label twice',
      path: `${apply}?prune=a=1,a=2`,
      options: { yaml: '' },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.prune',
    },
    {
      sentence: 'a dryRun that is neither',
      path: `${apply}?dryRun=perhaps`,
      options: { yaml: '' },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.dryRun',
    },
    {
      sentence: 'a message with control characters',
      path: `${apply}?message=%1b[2J`,
      options: { yaml: '' },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'query.message',
    },
    {
      sentence: 'an author of 201 letters',
      path: apply,
      options: { yaml: '', headers: { 'x-sluice-by': 'x'.repeat(201) } },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'header.x-sluice-by',
    },
    {
      sentence: 'JSON that breaks off',
      path: apply,
      options: { raw: { type: 'application/json', bytes: '{"a":\n' } },
      status: 400,
      code: 'INVALID_REQUEST',
      at: ':2:1',
    },
    {
      sentence: 'bytes that are not UTF-8',
      path: apply,
      options: { raw: { type: 'text/yaml', bytes: new Uint8Array([0xff, 0xfe]) } },
      status: 400,
      code: 'INVALID_REQUEST',
    },
    {
      sentence: 'files without text',
      path: apply,
      options: { json: { files: [{ name: 'a' }] } },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'body.files[0].text',
    },
    {
      sentence: 'an empty list of files',
      path: apply,
      options: { json: { files: [] } },
      status: 400,
      code: 'INVALID_REQUEST',
      at: 'body.files',
    },
    {
      sentence: 'a form',
      path: apply,
      options: { raw: { type: 'application/x-www-form-urlencoded', bytes: 'a=b' } },
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    },
    {
      sentence: 'a body without type',
      path: apply,
      options: { raw: { bytes: new Uint8Array([97]) } },
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    },
    {
      sentence: 'another charset',
      path: apply,
      options: { raw: { type: 'text/yaml; charset=latin1', bytes: 'a' } },
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    },
    {
      sentence: 'an unknown content encoding',
      path: apply,
      options: { yaml: 'a', headers: { 'content-encoding': 'zip' } },
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    },
    {
      sentence: 'gzip that is none',
      path: apply,
      options: { yaml: 'a', headers: { 'content-encoding': 'gzip' } },
      status: 400,
      code: 'INVALID_REQUEST',
    },
    {
      sentence: 'YAML over 4 MiB',
      path: apply,
      options: { yaml: large(4 * mebibyte) },
      status: 413,
      code: 'BODY_TOO_LARGE',
    },
    {
      sentence: 'one JSON document over 4 MiB',
      path: apply,
      options: { json: { kind: 'x'.repeat(4 * mebibyte) } },
      status: 413,
      code: 'BODY_TOO_LARGE',
    },
    {
      sentence: 'a file over 4 MiB',
      path: apply,
      options: { json: { files: [{ name: 'big.yaml', text: large(4 * mebibyte) }] } },
      status: 413,
      code: 'BODY_TOO_LARGE',
    },
    {
      sentence: 'files over 16 MiB together',
      path: apply,
      options: { json: { files: Array.from({ length: 5 }, () => ({ name: 'a', text: large(3.5 * mebibyte) })) } },
      status: 413,
      code: 'BODY_TOO_LARGE',
    },
    {
      sentence: 'a small body that unpacks to 17 MiB',
      path: apply,
      options: {
        raw: { type: 'text/yaml', bytes: gzipSync(large(17 * mebibyte)) },
        headers: { 'content-encoding': 'gzip' },
      },
      status: 413,
      code: 'BODY_TOO_LARGE',
    },
    {
      sentence: 'a change from a page of another site',
      path: apply,
      options: { yaml: 'a', headers: { origin: 'https://evil.example' } },
      status: 403,
      code: 'CROSS_ORIGIN',
    },
  ];
  for (const { sentence, path = apply, options = {}, status, code, at = '' } of rows) {
    it(`${sentence}: ${status} ${code}`, async () => {
      const { body, headers } = await api.expect(status, path, options);
      expect(headers.get('content-type')).to.equal('application/problem+json');
      expect(body).to.deep.include({ status, code, type: `urn:sluice:error:${code}` });
      const places = body.errors.map(
        (fault: { path: string; line?: number; column?: number }) =>
          fault.path + (fault.line === undefined ? '' : `:${fault.line}:${fault.column}`),
      );
      expect(places.join(' ')).to.contain(at);
      expect(api.fake.revision).to.equal(0);
    });
  }

  it('name one fault of a selector once, in words of ours', async () => {
    const faults = async (prune: string) =>
      (await api.expect(400, `${apply}?prune=${encodeURIComponent(prune)}`, { yaml: '' })).body.errors;
    const mustBe = 'must be LABEL=VALUE, or several with "," between';
    expect(await faults('!!')).to.deep.equal([{ path: 'query.prune', message: mustBe }]);
    const [malformed, ...more] = await faults('!!,?,a b=c');
    expect([malformed.message, more.length]).to.deep.equal([mustBe, 1]);
    expect(more[0].message).to.match(/^is no label key: .+; found "a b"$/);
  });

  for (const { sentence, raw, status, says } of [
    {
      sentence: 'that there is no body',
      raw: { bytes: new Uint8Array() },
      status: 400,
      says: 'is missing; send application/yaml',
    },
    {
      sentence: 'that its body has no type',
      raw: { bytes: new Uint8Array([97]) },
      status: 415,
      says: 'the body has no Content-Type; send application/yaml',
    },
  ]) {
    it(`tells an apply ${sentence}`, async () => {
      const { text } = await api.expect(status, apply, { method: 'POST', raw });
      expect(text).to.contain(says);
    });
  }

  it('says in Allow what is allowed, and answers OPTIONS with it', async () => {
    for (const [method, status] of [
      ['PATCH', 405],
      ['OPTIONS', 204],
    ] as const) {
      const { headers } = await api.ask('/api/v1/routes/a', { method });
      expect(headers.get('allow')).to.equal('GET, PUT, DELETE, HEAD, OPTIONS');
      expect((await api.ask('/api/v1/routes/a', { method })).status).to.equal(status);
    }
  });

  it('answers HEAD without a body', async () => {
    const { status, text, headers } = await api.ask('/api/v1/routes', { method: 'HEAD' });
    expect([status, text, Number(headers.get('content-length')) > 0]).to.deep.equal([200, '', true]);
    expect((await api.ask('/api/v1/events', { method: 'HEAD' })).status).to.equal(200);
  });

  it('answers bytes that are no HTTP with a problem', async () => {
    const [host = '', port = ''] = api.address.split(':');
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), host, () => socket.write('what?\r\n\r\n'));
      socket.setEncoding('utf8');
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer)
      .to.match(/^HTTP\/1.1 400 /)
      .and.to.contain('application/problem+json');
  });

  it('logs none of these: they are the caller’s faults', () => {
    expect(api.logged).to.deep.equal([]);
  });
});

describe('requests that are right', () => {
  let api: ApiUnderTest;
  beforeEach(async () => {
    api = new ApiUnderTest();
    await api.start();
  });
  afterEach(() => api.stop());

  it('reads a compressed body', async () => {
    const bytes = gzipSync(canary(10));
    await api.expect(200, apply, { raw: { type: 'text/yaml', bytes }, headers: { 'content-encoding': 'gzip' } });
  });

  it('reads several large files in one apply', async () => {
    const text = (name: string) => `${service(name)}# ${'x'.repeat(3 * mebibyte)}\n`;
    const files = ['a', 'b', 'c', 'd'].map((name) => ({ name, text: text(name) }));
    const { body } = await api.expect(200, apply, { json: { files } });
    expect(body.changes).to.have.length(4);
  });

  it('accepts changes from its own page', async () => {
    await api.expect(200, apply, { yaml: canary(10), headers: { origin: api.url } });
  });

  it('keeps an author with letters beyond ASCII', async () => {
    const by = Buffer.from('Łukasz Żółć').toString('latin1');
    await api.expect(200, apply, { yaml: canary(10), headers: { 'x-sluice-by': by } });
    expect((await api.expect(200, '/api/v1/revisions/1')).body.by).to.equal('Łukasz Żółć');
  });

  it('says whether it is ready, and what else there is to know', async () => {
    expect((await api.expect(200, '/readyz')).body).to.deep.equal({ ready: true, revision: 0 });
    api.fake.ready = false;
    expect((await api.expect(503, '/readyz')).body).to.deep.equal({ ready: false, revision: 0 });
    expect((await api.expect(200, '/healthz')).text).to.equal('ok\n');
    expect((await api.expect(200, '/metrics')).text).to.contain('sluice_revision');
    expect(api.logged).to.deep.equal([]);
  });

  it('names its links on the first page, and each of them is served', async () => {
    const { body } = await api.expect(200, '/');
    for (const [name, path] of Object.entries<string>(body.links)) {
      if (name === 'api' || name === 'events') continue;
      await api.expect(200, path);
    }
  });

  it('tells every answered request with its template, status and code', async () => {
    await api.ask('/api/v1/routes/a');
    await api.ask('/nope');
    expect(api.answered).to.deep.equal([
      { method: 'GET', path: '/api/v1/routes/{name}', status: 404, code: 'RESOURCE_NOT_FOUND' },
      { method: 'GET', path: 'other', status: 404, code: 'ROUTE_PATH_NOT_FOUND' },
    ]);
  });

  it('says why it cannot listen', async () => {
    const second = new ApiUnderTest();
    const [host = '', port = ''] = api.address.split(':');
    const outcome = await import('../../../dashboard-api/start-api.ts').then(({ startApi }) =>
      startApi(second.fake.ports, { listen: { host, port: Number(port) }, log: { error: () => undefined } }).catch(
        (error: unknown) => String(error),
      ),
    );
    expect(outcome).to.contain(`cannot listen on ${api.address} for HTTP`);
  });

  it('closes at once though a client has a connection over which it has asked nothing yet', async () => {
    const second = new ApiUnderTest();
    await second.start();
    const [host = '', port = ''] = second.address.split(':');
    const client = connect(Number(port), host);
    const ended = once(client, 'close');
    // The server knows of the connection when it has answered one that came later.
    await once(client, 'connect');
    await second.ask('/healthz');
    const began = performance.now();
    await second.stop();
    await ended;
    // It has two seconds for answers that are under way.
    expect(performance.now() - began).to.be.below(1_500);
  });
});
