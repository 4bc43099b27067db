import { expect } from 'chai';
import type { ClientLoad } from '../../../../server/load-reports/load-table.ts';
import { createLoadPort } from '../../../../server/ports/load-port.ts';

const v1 = 'reviews.default|http|v1';

function client(id: string, zone: string, successes: number, errors = 0, cluster = v1): ClientLoad {
  const locality = { region: '', zone, subZone: '' };
  return {
    id,
    namespace: 'default',
    localities: [{ cluster, locality, successes, errors, inProgress: 1, intervalMs: 2_000 }],
    drops: [],
  };
}

function* of(...clients: ClientLoad[]): Generator<ClientLoad> {
  yield* clients;
}

describe('the load as the REST API shows it', () => {
  it('adds up what clients report, by cluster and locality', async () => {
    const drops = [{ cluster: v1, drops: 3, intervalMs: 1_000 }];
    const port = createLoadPort({
      clients: () => of(client('one', 'a', 10, 2), { ...client('two', 'a', 4), drops }, client('three', 'b', 1)),
    });
    expect(await port.loads({})).to.deep.equal([
      {
        cluster: v1,
        service: 'reviews',
        namespace: 'default',
        port: 'http',
        subset: 'v1',
        clients: 3,
        requestsPerSecond: 8.5,
        errorsPerSecond: 1,
        inProgress: 3,
        droppedPerSecond: 3,
        localities: [
          { region: '', zone: 'a', subZone: '', requestsPerSecond: 8, errorsPerSecond: 1, inProgress: 2 },
          { region: '', zone: 'b', subZone: '', requestsPerSecond: 0.5, errorsPerSecond: 0, inProgress: 1 },
        ],
      },
    ]);
  });

  it('shows what one client reports', async () => {
    const port = createLoadPort({ clients: () => of(client('one', 'a', 10), client('two', 'a', 4)) });
    expect((await port.loads({ client: 'two' }))[0]).to.deep.include({ clients: 1, requestsPerSecond: 2 });
  });

  it('shows a cluster of another mesh under its name alone, and sorts by name', async () => {
    const port = createLoadPort({ clients: () => of(client('one', '', 1), client('two', '', 1, 0, 'a||b||c')) });
    const loads = await port.loads({});
    expect(loads.map(({ cluster, service, subset }) => [cluster, service, subset])).to.deep.equal([
      ['a||b||c', '', ''],
      [v1, 'reviews', 'v1'],
    ]);
  });
});
