import { expect } from 'chai';
import pino from 'pino';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { DeltaDiscoveryResponse } from '../../../../proto/types.ts';
import { statusName } from '../../../../server/grpc/status.ts';
import { AdsStream } from '../../../../server/xds/ads-stream.ts';
import { Cohorts } from '../../../../server/xds/cohort.ts';
import { CohortSession } from '../../../../server/xds/cohort-session.ts';
import { ForeignSession } from '../../../../server/xds/foreign-session.ts';
import { identityOf } from '../../../../server/xds/identity.ts';
import { mostStandstillMs } from '../../../../server/xds/outbox.ts';
import type { Request } from '../../../../server/xds/session.ts';
import { SubscriptionIndex } from '../../../../server/xds/subscription-index.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';
import { unreadReport } from '../../../support/unread-report.ts';

const nothing = () => {};

/** A stream to a client that takes what it is sent when the test says so. */
class World {
  readonly mesh = new ModelMesh();
  nowMs = 0;
  unread = 0;
  readonly sent: { readonly bytes: Buffer; readonly take: () => void }[] = [];
  /** What is to be called when the client gives a sign of life. */
  readonly signs: (() => void)[] = [];
  readonly errors: string[] = [];
  readonly odd: string[] = [];
  readonly told: string[] = [];
  /** Large answers wait in it for their turn, which never comes; undefined: it is their turn at once. */
  turns: (() => void)[] | undefined;
  readonly stream: AdsStream;
  readonly session: CohortSession<AdsStream>;

  constructor() {
    const index = new SubscriptionIndex<AdsStream>(nothing);
    const identity = identityOf({ ...node, id: 'slow' }, 'delta');
    if (identity === undefined) throw new Error('a node with an id has an identity');
    const note = (_object: object, message: string) => this.told.push(message);
    const call = {
      writeFramed: (bytes: Buffer, take = nothing) => this.sent.push({ bytes, take }),
      askForSign: (onSign: () => void) => this.signs.push(onSign),
      end: (code = 0, details = '') => this.errors.push(`${statusName(code)}: ${details}`),
    };
    this.stream = new AdsStream(
      { call, identity, protocol: 'delta', typeUrl: '', report: unreadReport },
      {
        serverId: 'server-1',
        log: Object.assign(pino({ level: 'silent' }), { info: note }),
        index,
        clock: () => this.nowMs,
        onOddity: (what) => this.odd.push(what),
        onUnread: (bytes) => {
          this.unread += bytes;
        },
        inTurn: (send) => {
          if (this.turns === undefined) send();
          else this.turns.push(send);
          return nothing;
        },
        onReady: (stream) => stream.flush(),
      },
    );
    const { view, cache } = this.mesh;
    const session = new ForeignSession<AdsStream>({
      cache,
      view,
      member: this.stream,
      setsOf: (typeUrl) => index.namesOf(view, typeUrl),
      protocol: 'delta',
      allowsLegacyWildcard: true,
    });
    this.session = new CohortSession({ session, cache, cohorts: new Cohorts() });
    this.stream.start(this.session);
    this.mesh.onChange((change) => {
      this.stream.onChange(change);
      this.stream.flush();
    });
  }

  request(parts: Partial<Request>): void {
    const empty = { subscribe: [], unsubscribe: [], initialVersions: {}, version: '', nonce: '', error: undefined };
    this.stream.onRequest({ ...empty, typeUrl: typeUrls.endpoint, ...parts });
  }

  /** The names that the newest message brings. */
  get newest(): string[] {
    return this.messages.at(-1)?.resources.map(({ name }) => name) ?? [];
  }

  get messages(): DeltaDiscoveryResponse[] {
    // Behind the prefix of gRPC.
    return this.sent.map(({ bytes }) => DeltaDiscoveryResponse.decode(bytes.subarray(5)));
  }

  /** The client acknowledges the newest message of the type. */
  answer(typeUrl: string): void {
    const nonce = this.messages.findLast((message) => message.typeUrl === typeUrl)?.nonce ?? 'none';
    this.request({ typeUrl, nonce });
  }

  lookAt(ms: number): boolean {
    this.nowMs = ms;
    return this.stream.lookAfter();
  }

  /** Asks for a sign of life, which comes: 0.9 s later nobody waits. */
  findAlive(ms: number): void {
    expect(this.lookAt(ms)).to.equal(false);
    for (const onSign of this.signs.splice(0)) onSign();
  }
}

const node = {
  id: '',
  cluster: '',
  metadata: null,
  locality: null,
  userAgentName: 'envoy',
  userAgentVersion: '',
  clientFeatures: [],
};

describe('a stream', () => {
  let world: World;

  beforeEach(() => {
    world = new World();
    // More than a stream may have unread: 8 of 200 KB.
    for (let i = 0; i < 8; i++) world.mesh.put(instanceOf(`large-${i}`, 'i1', { zone: 'z'.repeat(200_000) }));
    world.request({ subscribe: ['*'] });
  });

  afterEach(() => world.stream.close());

  it('whose client does not read is sent nothing new, and then the newest state', () => {
    expect(world.unread).to.be.above(1024 * 1024);
    const before = world.sent.length;
    for (const id of ['i1', 'i2', 'i3']) world.mesh.put(instanceOf(`new-${id}`, id));
    expect(world.sent.length).to.equal(before);
    for (const { take } of world.sent.splice(0)) take();
    expect(world.newest.sort()).to.deep.equal(['new-i1.default|http|', 'new-i2.default|http|', 'new-i3.default|http|']);
  });

  it('whose client takes nothing is waited for by nobody, then let go of', () => {
    world.nowMs = 1_000;
    world.stream.lookAfter();
    expect(world.unread).to.equal(0);
    expect(world.errors).to.deep.equal([]);
    world.nowMs = mostStandstillMs;
    world.stream.lookAfter();
    expect(world.errors).to.have.lengthOf(1);
    expect(world.errors[0]).to.match(/^RESOURCE_EXHAUSTED: the client has taken nothing for 30 s/);
    expect(world.unread).to.equal(0);
  });

  it('whose client does not answer is waited for about 6 s, once', () => {
    for (const { take } of world.sent.splice(0)) take();
    world.findAlive(5_000);
    for (const ms of [5_899, 6_000, 20_000]) {
      world.lookAt(ms);
      expect(world.odd).to.deep.equal(ms < 6_000 ? [] : ['no-answer']);
    }
  });

  it('whose client gives no sign of life is waited for', () => {
    for (const { take } of world.sent.splice(0)) take();
    for (const ms of [5_000, 6_000, 35_000]) expect(world.lookAt(ms)).to.equal(false);
    expect(world.odd).to.deep.equal([]);
  });

  it('whose client takes something now and then goes on', () => {
    for (let second = 1; second < 100 && world.sent.length > 0; second++) {
      world.nowMs = second * 20_000;
      world.stream.lookAfter();
      world.sent.shift()?.take();
    }
    expect(world.errors).to.deep.equal([]);
    expect(world.unread).to.equal(0);
  });

  it('that is sent more at once than its client may leave unread ends, and leaves nothing that counts as unread', () => {
    const takeAll = () => {
      for (const { take } of world.sent.splice(0)) take();
    };
    takeAll();
    // A response each: the first is sent at once, the others when it has been taken. A stream may have 64 MiB unread.
    for (let i = 0; i < 6; i++) world.mesh.put(instanceOf(`large-${i}`, 'i1', { zone: 'z'.repeat(20_000_000) }));
    takeAll();
    expect(world.errors).to.deep.equal(['RESOURCE_EXHAUSTED: the client does not read what it is sent']);
    takeAll();
    expect(world.unread).to.equal(0);
  });

  it('that is over counts nothing as unread, whatever is still taken', () => {
    world.stream.close();
    for (const { take } of world.sent) take();
    expect(world.unread).to.equal(0);
  });

  it('tells once of what is odd, and counts it each time', () => {
    for (const nonce of ['never-sent', 'neither']) world.request({ nonce });
    world.request({ typeUrl: 'type.googleapis.com/no.such.Type' });
    expect(world.odd).to.deep.equal(['unknown-nonce', 'unknown-nonce', 'unknown-type']);
    expect(world.told).to.have.lengthOf(2);
  });

  it('that cannot be told of a change ends: it would never be in step again', () => {
    Object.assign(world.mesh.view, {
      changes: () => {
        throw new Error('a fault of this server');
      },
    });
    world.mesh.put(instanceOf('new', 'i1'));
    expect(world.errors).to.deep.equal(['INTERNAL: the server failed on this stream; its log says why']);
  });

  it('with an absurd name ends with a sentence', () => {
    world.request({ subscribe: ['x'.repeat(2_000)] });
    expect(world.errors).to.deep.equal(['INVALID_ARGUMENT: a name of a resource has 1024 characters at most']);
  });
});

describe('a stream that waits', () => {
  const routes = typeUrls.routeConfiguration;
  let world: World;

  beforeEach(() => {
    world = new World();
    world.mesh.put(instanceOf('a', 'i1'));
  });

  afterEach(() => world.stream.close());

  /** The clusters have no answer: the routes wait for it. */
  const withoutAnswer = () => {
    world.request({ typeUrl: typeUrls.cluster, subscribe: ['*'] });
    world.request({ typeUrl: routes, subscribe: ['a.default:80'] });
  };

  /** The client never asks for the endpoints of a cluster that is new to it: the routes wait for them. */
  const withoutQuestion = () => {
    world.request({ typeUrl: typeUrls.cluster, subscribe: ['*'] });
    world.request({ typeUrl: typeUrls.endpoint, subscribe: ['a.default|http|'] });
    for (const typeUrl of [typeUrls.cluster, typeUrls.endpoint]) world.answer(typeUrl);
    world.mesh.put(instanceOf('b', 'i1'));
    world.answer(typeUrls.cluster);
    world.request({ typeUrl: routes, subscribe: ['b.default:80'] });
    expect([world.session.waitsFor, world.session.holdsFor]).to.deep.equal([undefined, 'endpoints of b.default|http|']);
  };

  /** It waits for an answer about other endpoints, too. */
  const withoutEither = () => {
    withoutQuestion();
    world.mesh.put(instanceOf('a', 'i2'));
    expect(world.session.waitsFor).to.equal('4');
  };

  it('for an answer says when it waits no longer, and sends when it is flushed', () => {
    withoutAnswer();
    const before = world.sent.length;
    world.findAlive(5_000);
    expect([5_899, 5_900, 7_000].map((ms) => world.lookAt(ms))).to.deep.equal([false, true, false]);
    expect(world.odd).to.deep.equal(['no-answer']);
    expect(world.sent.length).to.equal(before);
    world.stream.flush();
    expect(world.newest).to.deep.equal(['a.default:80']);
  });

  it('for a client that answers what it can, but never asks, says when it waits no longer', () => {
    withoutQuestion();
    world.nowMs = 4_000;
    world.mesh.put(instanceOf('a', 'i2'));
    world.answer(typeUrls.endpoint);
    const before = world.sent.length;
    world.findAlive(5_000);
    expect([5_899, 5_900, 7_000].map((ms) => world.lookAt(ms))).to.deep.equal([false, true, false]);
    expect(world.sent.length).to.equal(before);
    world.stream.flush();
    expect(world.newest).to.deep.equal(['b.default:80']);
    expect(world.odd).to.deep.equal([]);
  });

  it('for its turn does not wait for what was answered meanwhile', () => {
    world.request({ typeUrl: typeUrls.cluster, subscribe: ['*'] });
    world.turns = [];
    world.request({ typeUrl: routes, subscribe: ['a.default:80'] });
    world.answer(typeUrls.cluster);
    expect(world.turns).to.have.lengthOf(1);
    expect(world.lookAt(6_000)).to.equal(false);
    expect(world.odd).to.deep.equal([]);
  });

  it('waits for nothing once it is over', () => {
    withoutEither();
    world.stream.close();
    expect(world.lookAt(6_000)).to.equal(false);
    expect(world.odd).to.deep.equal([]);
  });

  it('ends at a fault while it gives up, and then has nothing more to give up', () => {
    withoutEither();
    let givenUp = 0;
    Object.assign(world.session, {
      onOverdue: () => {
        throw new Error('a fault of this server');
      },
      giveUpClusters: () => givenUp++,
    });
    world.findAlive(5_000);
    expect(world.lookAt(6_000)).to.equal(false);
    expect(world.errors).to.deep.equal(['INTERNAL: the server failed on this stream; its log says why']);
    expect(givenUp).to.equal(0);
  });
});
