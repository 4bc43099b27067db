import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import type { OpenApiDocument } from '../../../dashboard-api/openapi.ts';
import { ApiUnderTest } from './api-under-test.ts';

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: object;
}

describe('/openapi.json', () => {
  const api = new ApiUnderTest();
  let document: OpenApiDocument;
  let operations: { path: string; method: string; operation: Record<string, unknown> }[];
  before(async () => {
    await api.start();
    document = (await api.ask('/openapi.json')).body;
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
  });
  after(() => api.stop());

  it('describes every call of the contract', () => {
    const calls = operations.map(({ path, method }) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`);
    const documents = ['services', 'routes', 'trafficpolicies'].flatMap((kind) => [
      `GET /${kind}`,
      ...['GET', 'PUT', 'DELETE'].map((method) => `${method} /${kind}/{name}`),
    ]);
    const instance = '/services/{service}/instances/{id}';
    expect(calls).to.have.members([
      'GET /',
      'GET /openapi.json',
      'GET /healthz',
      'GET /readyz',
      'GET /metrics',
      'POST /apply',
      ...documents,
      'GET /services/{service}/instances',
      `PUT ${instance}`,
      `DELETE ${instance}`,
      `PUT ${instance}/heartbeat`,
      `PUT ${instance}/drain`,
      'GET /agents',
      'GET /agents/{id}',
      'GET /agents/{id}/config',
      'GET /load',
      'GET /problems',
      'GET /revisions',
      'GET /revisions/{revision}',
      'GET /revisions/{revision}/diff',
      'GET /revisions/{revision}/rollout',
      'POST /revisions/{revision}/rollback',
      'GET /events',
    ]);
  });

  it('describes nothing that is not served', async () => {
    for (const { path, method } of operations) {
      const { status, body } = await api.ask(path.replaceAll(/\{\w+\}/g, '1'), {
        method: method.toUpperCase(),
        ...(path.endsWith('/events') ? { method: 'HEAD' } : {}),
      });
      expect(body?.code, `${method} ${path}`).to.not.be.oneOf(['ROUTE_PATH_NOT_FOUND', 'METHOD_NOT_ALLOWED']);
      expect(status, `${method} ${path}`).to.be.below(500);
    }
  });

  it('names each operation once, and every parameter in braces of its path', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).to.equal(ids.length);
    for (const { path, operation } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const parameters = operation.parameters as Parameter[];
      const described = parameters.filter((parameter) => parameter.in === 'path');
      expect(described.map(({ name }) => name)).to.have.members(inPath);
      for (const { required } of described) expect(required).to.equal(true);
    }
  });

  it('has schemas that are valid, and no reference into nowhere', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, target = '']) => target);
    for (const reference of references) {
      const name = reference.replace('#/components/schemas/', '');
      expect(document.components.schemas).to.have.property(name);
    }
    for (const schema of Object.values(document.components.schemas))
      ajv.compile({ ...schema, components: document.components });
    for (const { operation } of operations) {
      for (const { schema } of operation.parameters as Parameter[]) ajv.compile(schema);
    }
  });

  it('accepts what the parser accepts: a registration in every form', () => {
    const put = document.paths['/api/v1/services/{service}/instances/{id}']?.put as {
      requestBody: { content: Record<string, { schema: object }> };
    };
    const schema = put.requestBody.content['application/json']?.schema ?? {};
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    expect(validate({ address: '::1', port: 80 })).to.equal(true);
    expect(validate({ address: '::1', ports: { http: 80 }, ttl: '10s', labels: { a: 'b' } })).to.equal(true);
    expect(validate({ address: '::1', port: '80' })).to.equal(false);
    expect(validate({ address: '::1', port: 80, prot: 1 })).to.equal(false);
  });

  it('is told in docs/rest.md, call by call', () => {
    const text = readFileSync(new URL('../../../docs/rest.md', import.meta.url), 'utf8');
    for (const { path, method, operation } of operations) {
      const row = text.split('\n').find((line) => line.includes(`\`${method.toUpperCase()} ${path}\``));
      expect(row, `docs/rest.md does not mention ${method.toUpperCase()} ${path}`).to.be.a('string');
      const parameters = (operation.parameters as Parameter[]).filter((parameter) => parameter.in === 'query');
      for (const { name } of parameters) expect(row, `${path} has the parameter ${name}`).to.contain(`\`${name}\``);
    }
    const told = [...text.matchAll(/^\| `([A-Z]+) (\/\S*)`/gm)].map(
      ([, method = '', path = '']) => `${method} ${path}`,
    );
    const served = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
    expect(told).to.have.members(served);
  });
});
