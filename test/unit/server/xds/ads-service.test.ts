import { mock } from 'node:test';
import { expect } from 'chai';
import pino from 'pino';
import type { Input } from '../../../../proto/load.ts';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../../../../proto/types.ts';
import { AdsService } from '../../../../server/xds/ads-service.ts';
import type { StreamReport } from '../../../../server/xds/ads-stream.ts';
import { FakeCall } from '../../../support/fake-call.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';
import { unreadReport } from '../../../support/unread-report.ts';

describe('the discovery service', () => {
  const open = (service: AdsService<StreamReport>, userAgentName = 'envoy') => {
    const call = new FakeCall<DeltaDiscoveryRequest, Buffer>();
    service.handlers().delta(call);
    const node = { id: 'client-1', userAgentName };
    const bytes = DeltaDiscoveryRequest.encode({ node, typeUrl: typeUrls.cluster });
    call.say(DeltaDiscoveryRequest.decode(bytes));
    return call;
  };
  const nothing = () => {};
  /** Who does not come alone is let in in the next turn of the event loop. */
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
  const create = () =>
    new AdsService({
      cache: new ModelMesh().cache,
      serverId: 'server-1',
      domain: 'mesh.local',
      log: pino({ level: 'silent' }),
      clock: () => 0,
      onUnused: nothing,
      onOddity: nothing,
      openReport: () => unreadReport,
    });

  it('R4 refuses streams with UNAVAILABLE before it has loaded, and after it has begun to end, without an answer', async () => {
    const service = create();
    const early = open(service);
    expect(early.ends).to.deep.equal([{ code: 'UNAVAILABLE', details: 'the server is loading or shutting down' }]);
    expect(early.framed).to.deep.equal([]);
    service.start();
    const inTime = open(service);
    await nextTurn();
    expect(inTime.framed).to.have.lengthOf(1);
    service.close();
    const late = open(service);
    await nextTurn();
    expect(late.ends.map(({ code }) => code)).to.deep.equal(['UNAVAILABLE']);
  });

  it('knows of which kinds its clients are, while there are any', async () => {
    const service = create();
    service.start();
    const calls = ['envoy', 'envoy', 'gRPC C-core'].map((userAgent) => open(service, userAgent));
    await nextTurn();
    for (const kinds of [['envoy', 'grpc'], ['envoy', 'grpc'], ['grpc'], []]) {
      expect([...service.kinds].sort()).to.deep.equal(kinds);
      calls.shift()?.leave();
    }
    service.close();
  });
});

/** A client of one stream, whose answers are the test's. */
class Client {
  readonly #call = new FakeCall<DeltaDiscoveryRequest, Buffer>();
  readonly #id: string;

  /** `typeUrl`: of the service; '' for the aggregated one. */
  constructor(service: AdsService<StreamReport>, id: string, typeUrl = '') {
    this.#id = id;
    service.handlers(typeUrl).delta(this.#call);
  }

  say(typeUrl: string, parts: Input<DeltaDiscoveryRequest> = {}): void {
    const bytes = DeltaDiscoveryRequest.encode({ node: { id: this.#id, userAgentName: 'envoy' }, typeUrl, ...parts });
    this.#call.say(DeltaDiscoveryRequest.decode(bytes));
  }

  ask(typeUrl: string, ...names: string[]): void {
    this.say(typeUrl, { resourceNamesSubscribe: names });
  }

  /** Acknowledges the newest message of the type. */
  answer(typeUrl: string): void {
    this.say(typeUrl, { responseNonce: this.#messages.findLast((each) => each.typeUrl === typeUrl)?.nonce ?? 'none' });
  }

  /** The names that it was sent, in order. */
  get sent(): string[] {
    return this.#messages.flatMap(({ resources }) => resources.map(({ name }) => name));
  }

  get #messages(): DeltaDiscoveryResponse[] {
    // Behind the prefix of gRPC.
    return this.#call.framed.map((bytes) => DeltaDiscoveryResponse.decode(bytes.subarray(5)));
  }
}

describe('the discovery service looks after clients', () => {
  const { cluster, endpoint, routeConfiguration: routes } = typeUrls;
  const nothing = () => {};
  let mesh: ModelMesh;
  let service: AdsService<StreamReport>;
  let nowMs: number;
  /** What passes between two looks at the clock. */
  let stepMs: number;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval'] });
    nowMs = 0;
    stepMs = 0;
    mesh = new ModelMesh();
    mesh.put(instanceOf('a', 'i1'));
    service = new AdsService({
      cache: mesh.cache,
      serverId: 'server-1',
      domain: 'mesh.local',
      log: pino({ level: 'silent' }),
      clock: () => {
        nowMs += stepMs;
        return nowMs;
      },
      onUnused: nothing,
      onOddity: nothing,
      openReport: () => unreadReport,
    });
    mesh.onChange((change) => service.push(service.note(change)));
    service.start();
  });

  afterEach(() => {
    service.close();
    mock.timers.reset();
  });

  /** The time of the service, which looks at its streams when it is over. */
  const pass = (ms: number) => {
    nowMs += ms;
    mock.timers.tick(1_000);
  };
  /** Who does not come alone is let in, and sent much, in the next turn of the event loop. */
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
  /** With the clusters on one stream and the routes on another, as all are of one client. */
  const openBoth = async () => {
    const [clusters, ofRoutes] = [new Client(service, 'c', cluster), new Client(service, 'c', routes)];
    clusters.ask(cluster);
    await nextTurn();
    return [clusters, ofRoutes] as const;
  };

  it('that do not answer: they are sent the routes', async () => {
    const client = new Client(service, 'c');
    client.ask(cluster);
    client.ask(routes, 'a.default:80');
    await nextTurn();
    pass(5_000);
    pass(899);
    await nextTurn();
    expect(client.sent).to.deep.equal(['a.default|http|']);
    pass(1);
    await nextTurn();
    expect(client.sent).to.deep.equal(['a.default|http|', 'a.default:80']);
  });

  it('that answer, and never ask for endpoints: they are sent the routes', async () => {
    const client = new Client(service, 'c');
    client.ask(cluster);
    client.ask(endpoint, 'a.default|http|');
    await nextTurn();
    for (const typeUrl of [cluster, endpoint]) client.answer(typeUrl);
    mesh.put(instanceOf('b', 'i1'));
    client.answer(cluster);
    client.ask(routes, 'b.default:80');
    await nextTurn();
    pass(5_000);
    pass(899);
    await nextTurn();
    expect(client.sent).to.not.include('b.default:80');
    pass(1);
    await nextTurn();
    expect(client.sent).to.include('b.default:80');
  });

  it('that do not answer on one stream: they are sent the routes on another, which has not waited as long', async () => {
    const [, ofRoutes] = await openBoth();
    pass(3_000);
    ofRoutes.ask(routes, 'a.default:80');
    await nextTurn();
    expect(ofRoutes.sent).to.deep.equal([]);
    pass(2_000);
    pass(900);
    await nextTurn();
    expect(ofRoutes.sent).to.deep.equal(['a.default:80']);
  });

  it('that do not ask on one stream: the others have given up for good', async () => {
    const [clusters, ofRoutes] = await openBoth();
    clusters.answer(cluster);
    ofRoutes.ask(routes, 'a.default:80', 'b.default:80');
    await nextTurn();
    ofRoutes.answer(routes);
    // It is never asked for the endpoints of the new cluster.
    mesh.put(instanceOf('b', 'i1'));
    clusters.answer(cluster);
    await nextTurn();
    expect(ofRoutes.sent).to.deep.equal(['a.default:80']);
    pass(5_000);
    pass(900);
    await nextTurn();
    expect(ofRoutes.sent).to.deep.equal(['a.default:80', 'b.default:80']);
    ofRoutes.answer(routes);
    mesh.apply(route);
    await nextTurn();
    expect(ofRoutes.sent).to.deep.equal(['a.default:80', 'b.default:80', 'a.default:80']);
  });

  it('that do not answer, many at once: in slices, as everything that goes to many', async () => {
    const clients = Array.from({ length: 40 }, (_, index) => new Client(service, `c${index}`));
    for (const client of clients) {
      client.ask(cluster);
      client.ask(routes, 'a.default:80');
    }
    for (const typeUrl of [cluster, routes]) {
      await nextTurn();
      for (const client of clients) client.answer(typeUrl);
    }
    // The cluster is not answered, so that the routes wait.
    mesh.put(instanceOf('b', 'i1'));
    mesh.apply(route);
    await nextTurn();
    const areSent = () => clients.filter(({ sent }) => sent.at(-1) === 'a.default:80').length;
    expect(areSent()).to.equal(0);
    pass(5_000);
    stepMs = 1;
    pass(900);
    expect(service.queueLength).to.be.above(20);
    expect(areSent()).to.equal(clients.length - service.queueLength);
    stepMs = 0;
    await nextTurn();
    expect(areSent()).to.equal(clients.length);
  });
});

const route = `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: a }
spec: { service: a, allowEmpty: true, rules: [ { timeout: 9s, backends: [ { service: a } ] } ] }
`;
