import { expect } from 'chai';
import type { ClientProblemInfo } from '../../../dashboard-api/ports.ts';
import { ApiUnderTest } from './api-under-test.ts';

function problemOf(service: string, namespace = 'default'): ClientProblemInfo {
  return {
    namespace,
    service,
    clients: 'grpc',
    document: `Route ${namespace}/${service}`,
    path: 'spec.rules[0].sticky',
    message: 'sticky split is not possible',
  };
}

describe('what clients cannot do of the rules', () => {
  let api: ApiUnderTest;
  beforeEach(async () => {
    api = new ApiUnderTest();
    await api.start();
    api.fake.problems = [problemOf('reviews', 'prod'), problemOf('reviews'), problemOf('ratings')];
  });
  afterEach(() => api.stop());

  const documents = async (query: string) => {
    const { body } = await api.expect(200, `/api/v1/problems${query}`);
    return body.items.map(({ document }: ClientProblemInfo) => document);
  };

  it('is shown by service, in full', async () => {
    const { body } = await api.expect(200, '/api/v1/problems?limit=1');
    expect(body.items).to.deep.equal([problemOf('ratings')]);
    expect(body.next).to.be.a('string');
  });

  it('is found by namespace and service', async () => {
    expect(await documents('')).to.deep.equal(['Route default/ratings', 'Route default/reviews', 'Route prod/reviews']);
    expect(await documents('?namespace=prod')).to.deep.equal(['Route prod/reviews']);
    expect(await documents('?service=reviews&namespace=default')).to.deep.equal(['Route default/reviews']);
  });
});
