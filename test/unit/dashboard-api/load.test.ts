import { expect } from 'chai';
import type { ClusterLoad } from '../../../dashboard-api/ports.ts';
import { ApiUnderTest } from './api-under-test.ts';

const numbers = { requestsPerSecond: 12.5, errorsPerSecond: 0.1, inProgress: 3 };

function loadOf(service: string, namespace = 'default'): ClusterLoad {
  const cluster = `${service}.${namespace}|http|`;
  const localities = [{ region: '', zone: 'a', subZone: '', ...numbers }];
  return {
    cluster,
    service,
    namespace,
    port: 'http',
    subset: '',
    clients: 2,
    ...numbers,
    droppedPerSecond: 0,
    localities,
  };
}

describe('the load that clients report', () => {
  let api: ApiUnderTest;
  beforeEach(async () => {
    api = new ApiUnderTest();
    await api.start();
    api.fake.loads = [loadOf('ratings'), loadOf('reviews'), loadOf('reviews', 'prod')];
  });
  afterEach(() => api.stop());

  const clusters = async (query: string) => {
    const { body } = await api.expect(200, `/api/v1/load${query}`);
    return body.items.map(({ cluster }: ClusterLoad) => cluster);
  };

  it('is shown by cluster, in full', async () => {
    const { body } = await api.expect(200, '/api/v1/load?limit=1');
    expect(body.items).to.deep.equal([loadOf('ratings')]);
  });

  it('can be asked for of a service, a namespace or a client', async () => {
    expect(await clusters('?service=reviews')).to.deep.equal(['reviews.default|http|', 'reviews.prod|http|']);
    expect(await clusters('?namespace=prod')).to.deep.equal(['reviews.prod|http|']);
    expect(await clusters('?client=nobody')).to.deep.equal([]);
    await api.expect(400, '/api/v1/load?cluster=reviews');
  });
});
