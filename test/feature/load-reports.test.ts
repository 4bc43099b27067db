/** Load reports over real streams: of clients that are not ours, and of our own agents. */
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { ClusterLoad } from '../../dashboard-api/ports.ts';
import { type Input, toNumber } from '../../proto/load.ts';
import { loadReportingService } from '../../proto/services.ts';
import { LoadStatsRequest, type LoadStatsResponse } from '../../proto/types.ts';
import { toMilliseconds } from '../../routing/duration.ts';
import { GrpcStream } from '../support/grpc-stream.ts';
import { type Mesh, startMesh } from '../support/start-mesh.ts';

const { path, responseDeserialize } = loadReportingService.streamLoadStats;
const v1 = 'reviews.default|http|';

describe('load reports', () => {
  let mesh: Mesh;
  const open = () => new GrpcStream<LoadStatsResponse>(mesh.server.grpc, path, responseDeserialize);
  const send = (stream: GrpcStream<LoadStatsResponse>, message: Input<LoadStatsRequest>) =>
    stream.write(LoadStatsRequest.encode(message));
  const loads = async (query = '') => {
    const { body } = await mesh.call<{ items: ClusterLoad[] }>('GET', `/load${query}`);
    return body.items;
  };
  const metric = async (line: string) => {
    const text = await (await fetch(`http://${mesh.server.http}/metrics`)).text();
    return text.split('\n').find((one) => one.startsWith(`${line} `));
  };
  const report = (successes: number, errors = 0): Input<LoadStatsRequest> => ({
    clusterStats: [
      {
        clusterName: v1,
        loadReportInterval: { seconds: 2 },
        upstreamLocalityStats: [
          { locality: { zone: 'eu-1a' }, totalSuccessfulRequests: successes, totalErrorRequests: errors },
        ],
        totalDroppedRequests: 4,
      },
    ],
  });

  afterEach(() => mesh.close());

  it('are asked for once, of all clusters, at the interval of the server', async () => {
    mesh = await startMesh();
    const stream = open();
    send(stream, { node: { id: 'envoy-1' } });
    const { sendAllClusters, clusters, loadReportingInterval } = await stream.answer();
    expect({ sendAllClusters, clusters }).to.deep.equal({ sendAllClusters: true, clusters: [] });
    expect(toNumber(loadReportingInterval?.seconds ?? 0)).to.equal(10);
    stream.end();
    expect((await stream.ended).code).to.equal(status.OK);
  });

  it('show as requests per second by cluster and locality, until the stream ends', async () => {
    mesh = await startMesh({ loadReportInterval: '1500ms' });
    await mesh.startInstance('reviews', 'v1');
    const streams = [open(), open()];
    for (const [n, stream] of streams.entries()) {
      send(stream, { node: { id: `envoy-${n}`, userAgentName: 'envoy' } });
      expect(toMilliseconds((await stream.answer()).loadReportingInterval)).to.equal(1_500);
      send(stream, report(9 + n, 1));
    }
    await mesh.until(async () => (await loads('?service=reviews'))[0]?.clients === 2);
    expect(await loads()).to.deep.equal([
      {
        cluster: v1,
        service: 'reviews',
        namespace: 'default',
        port: 'http',
        subset: '',
        clients: 2,
        requestsPerSecond: 10.5,
        errorsPerSecond: 1,
        inProgress: 0,
        droppedPerSecond: 4,
        localities: [
          { region: '', zone: 'eu-1a', subZone: '', requestsPerSecond: 10.5, errorsPerSecond: 1, inProgress: 0 },
        ],
      },
    ]);
    expect((await loads('?client=envoy-1'))[0]).to.deep.include({ clients: 1, requestsPerSecond: 5.5 });
    const line = `sluice_load_requests_total{cluster="${v1}",result="success"}`;
    expect(await metric(line)).to.equal(`${line} 19`);
    streams[0]?.cancel();
    await mesh.until(async () => (await loads())[0]?.clients === 1);
    streams[1]?.end();
    await mesh.until(async () => (await loads()).length === 0);
    expect(await metric(line)).to.equal(`${line} 19`);
  });

  for (const { name, messages, code, words } of [
    { name: 'without a node', messages: [{}], code: status.INVALID_ARGUMENT, words: /needs a node with an id$/ },
    {
      name: 'with an absurd id',
      messages: [{ node: { id: 'x'.repeat(254) } }],
      code: status.INVALID_ARGUMENT,
      words: /an id of 253 characters at most; this one has 254/,
    },
    {
      name: 'on a cluster without a name',
      messages: [{ node: { id: 'x' } }, { clusterStats: [{}] }],
      code: status.INVALID_ARGUMENT,
      words: /a cluster without a name/,
    },
    {
      name: 'of millions of clusters',
      messages: [{ node: { id: 'x' } }, { clusterStats: Array.from({ length: 1_500_000 }, () => ({})) }],
      code: status.RESOURCE_EXHAUSTED,
      words: /bytes: more than/,
    },
    {
      name: 'all the time',
      messages: [{ node: { id: 'x' } }, ...Array.from({ length: 30 }, () => report(1))],
      code: status.RESOURCE_EXHAUSTED,
      words: /much faster than every 10000 ms/,
    },
  ]) {
    it(`${name} end the stream with a sentence and a counter; the others do not notice`, async () => {
      mesh = await startMesh();
      const [good, bad] = [open(), open()];
      send(good, { node: { id: 'good' } });
      await good.answer();
      for (const message of messages) send(bad, message);
      const end = await bad.ended;
      expect(end.details).to.match(words);
      expect(end.code).to.equal(code);
      const line = `sluice_grpc_ended_streams_total{code="${status[code]}"}`;
      expect(await metric(line)).to.equal(`${line} 1`);
      send(good, report(20));
      await mesh.until(async () => (await loads('?client=good'))[0]?.requestsPerSecond === 10);
      expect(await loads('?client=x')).to.deep.equal([]);
      good.cancel();
    });
  }

  it('that are no message end the stream with a sentence', async () => {
    mesh = await startMesh();
    const stream = open();
    stream.write(Buffer.from([10, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]));
    const { code, details } = await stream.ended;
    expect(details).to.match(/^a message cannot be decoded: /);
    expect(code).to.equal(status.INVALID_ARGUMENT);
  });

  for (const { name, flags } of [
    { name: 'an agent', flags: {} },
    { name: 'an agent with workers', flags: { workers: '2' } },
  ]) {
    it(`come from ${name} too, also after the server has been away`, async () => {
      mesh = await startMesh({ loadReportInterval: '200ms' });
      await mesh.startInstance('reviews', 'v1');
      const caller = await mesh.startCaller('web', 'web-1', flags);
      const line = `sluice_load_requests_total{cluster="${v1}",result="success"}`;
      expect(await caller.count(30, 'reviews')).to.deep.equal({ 'reviews v1': 30 });
      await mesh.until(async () => (await metric(line)) === `${line} 30`);

      await mesh.restartServer({ loadReportInterval: '200ms' });
      await caller.count(20, 'reviews');
      let seen: ClusterLoad | undefined;
      await mesh.until(async () => {
        seen = (await loads('?client=web-1'))[0] ?? seen;
        return (await metric(line)) === `${line} 20`;
      });
      // Whose requests they are: the instance's own agent takes them, and reports none.
      expect(await loads('?client=reviews-v1')).to.deep.equal([]);
      expect(seen === undefined || seen.requestsPerSecond > 0).to.equal(true);
      // What happens no more is shown no more.
      await mesh.until(async () => (await loads()).length === 0);
    });
  }
});
