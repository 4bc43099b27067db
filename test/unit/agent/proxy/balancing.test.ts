import { request as sendRequest } from 'node:http';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import type { Input } from '../../../../proto/load.ts';
import { type Json, toStruct } from '../../../../proto/struct.ts';
import { type Cluster, ClusterLbPolicy, HealthStatus } from '../../../../proto/types.ts';
import { route } from '../../routing/resources.ts';
import { type EndpointWords, serviceResources } from '../view/resources.ts';
import { ask, World } from './world.ts';

const all = 'reviews.default|http|';

function metadata(sluice: Record<string, Json>): Input<Cluster> {
  return { metadata: { filterMetadata: { sluice: toStruct(sluice) } } };
}

describe('the instance that a request goes to', () => {
  let world: World;
  let outbound: ProxyListener;
  let endpoints: EndpointWords[];

  beforeEach(() => {
    world = new World();
    endpoints = [];
  });
  afterEach(() => world.close());

  function swap(policy: Input<Cluster>): void {
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster: all })],
        clusters: { [all]: endpoints },
        policies: { [all]: policy },
      }),
    );
  }

  /** Instances that answer their ids. */
  async function instances(
    ids: readonly string[],
    words: (id: string) => Partial<EndpointWords> = () => ({}),
  ): Promise<void> {
    for (const id of ids) endpoints.push({ id, port: await world.app(id), ...words(id) });
  }

  async function start(policy: Input<Cluster>): Promise<void> {
    swap(policy);
    outbound = await world.outbound();
  }

  async function get(headers: Record<string, string> = {}, path = '/'): Promise<string> {
    return (await ask(outbound, path, { headers: { host: 'reviews', ...headers } })).body;
  }

  async function count(times: number): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (let n = 0; n < times; n++) {
      const id = await get();
      counts[id] = (counts[id] ?? 0) + 1;
    }
    return counts;
  }

  const users = Array.from({ length: 60 }, (_, n) => `user-${n}`);

  for (const { name, lbPolicy } of [
    { name: 'ring hash', lbPolicy: ClusterLbPolicy.RING_HASH },
    { name: 'maglev', lbPolicy: ClusterLbPolicy.MAGLEV },
  ]) {
    describe(`by ${name}`, () => {
      const hashing = (...hashOn: Json[]): Input<Cluster> => ({ lbPolicy, ...metadata({ hashOn }) });

      for (const { key, hashOn, of } of [
        { key: 'header', hashOn: { header: 'X-User' }, of: (user: string) => get({ 'x-user': user }) },
        { key: 'cookie', hashOn: { cookie: 'user' }, of: (user: string) => get({ cookie: `a=b; user=${user}` }) },
        { key: 'query parameter', hashOn: { query: 'user' }, of: (user: string) => get({}, `/?user=${user}`) },
      ]) {
        it(`is the same for the same ${key}`, async () => {
          await instances(['a', 'b', 'c']);
          await start(hashing(hashOn));
          const first = await Promise.all(users.map(of));
          expect(await Promise.all(users.map(of))).to.deep.equal(first);
          expect(new Set(first)).to.deep.equal(new Set(['a', 'b', 'c']));
        });
      }

      it('is the same for callers from the same address', async () => {
        await instances(['a', 'b', 'c']);
        await start(hashing({ sourceAddress: true }));
        const from = (localAddress: string) =>
          new Promise<string>((resolve) => {
            const options = { ...outbound.address, localAddress, headers: { host: 'reviews' }, agent: false };
            sendRequest(options, (response) => response.on('data', (body) => resolve(String(body)))).end();
          });
        const addresses = Array.from({ length: 20 }, (_, n) => `127.0.0.${n + 2}`);
        const first = await Promise.all(addresses.map(from));
        expect(await Promise.all(addresses.map(from))).to.deep.equal(first);
        expect(new Set(first).size).to.be.greaterThan(1);
      });

      it('stays for nearly all when an instance goes, and is the old one when it comes back', async () => {
        await instances(['a', 'b', 'c', 'd']);
        const policy = hashing({ header: 'x-user' });
        await start(policy);
        const of = (user: string) => get({ 'x-user': user });
        const before = await Promise.all(users.map(of));
        const gone = endpoints.pop();
        swap(policy);
        const meanwhile = await Promise.all(users.map(of));
        const moved = users.filter((_, n) => before[n] !== 'd' && before[n] !== meanwhile[n]);
        expect(moved.length).to.be.at.most(3);
        expect(meanwhile).to.not.include('d');
        if (gone !== undefined) endpoints.push(gone);
        swap(policy);
        expect(await Promise.all(users.map(of))).to.deep.equal(before);
      });

      it('is another one only as long as the one that is meant takes no connection', async () => {
        await instances(['a', 'b']);
        endpoints.push({ id: 'c', port: await world.deadPort() });
        await start(hashing({ header: 'x-user' }));
        const seen = await Promise.all(users.map((user) => get({ 'x-user': user })));
        expect(new Set(seen)).to.deep.equal(new Set(['a', 'b']));
        expect(world.statistics.snapshot().attempts.unreachable).to.be.greaterThan(0);
      });
    });
  }

  it('follows the weights of instances', async () => {
    await instances(['a', 'b'], (id) => ({ weight: id === 'a' ? 3 : 1 }));
    await start({ lbPolicy: ClusterLbPolicy.ROUND_ROBIN });
    expect(await count(40)).to.deep.equal({ a: 30, b: 10 });
  });

  it('is the one with fewer requests under way', async () => {
    await instances(['b']);
    const held: (() => void)[] = [];
    endpoints.push({
      id: 'a',
      port: await world.app('a', (_request, response) => void held.push(() => response.end('a'))),
    });
    await start({ lbPolicy: ClusterLbPolicy.LEAST_REQUEST });
    const slow: Promise<string>[] = [];
    while (held.length === 0) {
      slow.push(get());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await count(20)).to.deep.equal({ b: 20 });
    for (const end of held) end();
    await Promise.all(slow);
    expect(world.underWay()).to.deep.equal({});
  });

  describe('in zones', () => {
    const preferring: Input<Cluster> = {
      ...metadata({ localityPreference: 'same-zone-first' }),
      commonLbConfig: { healthyPanicThreshold: { value: 0 } },
    };
    const inZones = (id: string) => ({ zone: id.startsWith('near') ? 'here' : 'there' });

    beforeEach(() => {
      world.directory.zone = 'here';
    });

    it('is in the agent’s own as long as enough of them take requests', async () => {
      await instances(['near-1', 'near-2', 'near-3', 'near-4', 'far-1', 'far-2'], inZones);
      await start(preferring);
      const counts = await count(40);
      expect(Object.keys(counts).sort()).to.deep.equal(['near-1', 'near-2', 'near-3', 'near-4']);
    });

    it('is in others for what its own cannot carry', async () => {
      await instances(['near-1', 'near-2', 'near-3', 'near-4', 'far-1', 'far-2'], inZones);
      endpoints = endpoints.map((words) =>
        /near-[12]/.test(words.id ?? '') ? { ...words, health: HealthStatus.UNHEALTHY } : words,
      );
      await start(preferring);
      const counts = await count(100);
      // Half of the zone carries 140 % of a half.
      expect((counts['near-3'] ?? 0) + (counts['near-4'] ?? 0)).to.be.within(69, 71);
      expect((counts['far-1'] ?? 0) + (counts['far-2'] ?? 0)).to.be.within(29, 31);
    });

    it('is in others when nobody is left in its own', async () => {
      await instances(['near-1', 'far-1', 'far-2'], inZones);
      endpoints = endpoints.map((words) => (words.id === 'near-1' ? { ...words, port: 1 } : words));
      await start(preferring);
      const counts = await count(20);
      expect(counts).to.deep.equal({ 'far-1': 10, 'far-2': 10 });
    });

    it('is any when the agent knows no zone of its own', async () => {
      world.directory.zone = '';
      await instances(['near-1', 'far-1'], inZones);
      await start(preferring);
      expect(await count(20)).to.deep.equal({ 'near-1': 10, 'far-1': 10 });
    });
  });
});
