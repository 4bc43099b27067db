import { expect } from 'chai';
import fc from 'fast-check';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { ForeignSession } from '../../../../server/xds/foreign-session.ts';
import { NameSets } from '../../../../server/xds/name-sets.ts';
import { Rests } from '../../../../server/xds/rest.ts';
import { RestingSession } from '../../../../server/xds/resting-session.ts';
import type { Effect, HeldResource, Request, Response } from '../../../../server/xds/session.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';
import { route } from '../rules/rules-world.ts';

type Either = ForeignSession<object> | RestingSession<object>;

/** Streams of one server: `rests` when they may rest together. */
class Streams {
  readonly #mesh: ModelMesh;
  readonly #rests: Rests | undefined;
  readonly #sets = new Map<string, NameSets<object>>();

  constructor(mesh: ModelMesh, rests?: Rests) {
    this.#mesh = mesh;
    this.#rests = rests;
  }

  open(): Either {
    const { cache, view } = this.#mesh;
    const session = new ForeignSession<object>({
      cache,
      view,
      protocol: 'delta',
      allowsLegacyWildcard: true,
      member: {},
      setsOf: (typeUrl) => this.#setsOf(typeUrl),
    });
    return this.#rests === undefined ? session : new RestingSession({ session, cache, rests: this.#rests });
  }

  #setsOf(typeUrl: string): NameSets<object> {
    const nobody = { holdServiceBy: () => {}, releaseServiceBy: () => {} };
    const sets = this.#sets.get(typeUrl) ?? new NameSets<object>(typeUrl, this.#mesh.view, nobody);
    this.#sets.set(typeUrl, sets);
    return sets;
  }
}

const blank = { subscribe: [], unsubscribe: [], initialVersions: {}, nonce: '', error: undefined };
const [cluster, endpoint, routes] = [typeUrls.cluster, typeUrls.endpoint, typeUrls.routeConfiguration];
/** Names enough for equal sets to be shared; most of them are never there. */
const many = Array.from({ length: 40 }, (_, index) => `s${index}`);
const routeNames = ['a', 'b', ...many].map((service) => `${service}.default:80`);
const endpointNames = ['a', 'b', ...many].flatMap((service) => [
  `${service}.default|http|`,
  `${service}.default|http|v1`,
  `${service}.default|http|v2`,
]);
const questions: Readonly<Record<string, readonly string[]>> = {
  [cluster]: ['*'],
  [endpoint]: endpointNames,
  [routes]: routeNames,
};

function step(session: Either, parts: Partial<Request>): readonly Effect[] {
  return [...session.onRequest({ ...blank, typeUrl: cluster, ...parts }), ...session.flush()];
}

function responsesIn(effects: readonly Effect[]): Response[] {
  return effects.flatMap((effect) => (effect.is === 'send' ? [effect.response] : []));
}

/** Takes all that it is sent, until nothing more comes. */
function settle(session: Either, effects: readonly Effect[]): void {
  const pending = responsesIn(effects);
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    pending.push(...responsesIn(step(session, { typeUrl: next.typeUrl, nonce: next.nonce })));
  }
}

function askForAll(session: Either): void {
  for (const [typeUrl, subscribe] of Object.entries(questions)) settle(session, step(session, { typeUrl, subscribe }));
}

function split(mesh: ModelMesh, service: string, subset: string): void {
  mesh.apply(route(service, `{ subset: ${subset} }`));
}

describe('a session that rests', () => {
  let mesh: ModelMesh;

  beforeEach(() => {
    mesh = new ModelMesh();
    for (const name of ['a', 'b']) mesh.put(instanceOf(name, `${name}-0`));
    split(mesh, 'a', 'v1');
    mesh.apply(weights(1));
  });

  const weights = (v1: number) => route('a', `{ subset: v1, weight: ${v1} }, { subset: v2, weight: 1 }`);

  function openAll(count: number, streams = new Streams(mesh, new Rests())): Either[] {
    const sessions = Array.from({ length: count }, () => streams.open());
    for (const session of sessions) askForAll(session);
    // Whoever came first was alone until now.
    for (const session of sessions) session.flush();
    mesh.onChange((change) => {
      for (const session of sessions) session.onChange(change);
    });
    return sessions;
  }

  it('sends what the first of its like has found out, nonce included', () => {
    const [first, second] = openAll(2) as [Either, Either];
    mesh.apply(weights(3));
    const effects = first.flush();
    expect(responsesIn(effects)).to.have.length(1);
    expect(second.flush()).to.equal(effects);
  });

  it('has its own nonce when it was sent more, or less, than the first', () => {
    const [first, second] = openAll(2) as [Either, Either];
    settle(second, step(second, { typeUrl: routes, subscribe: ['a.default:80'] }));
    mesh.apply(weights(3));
    const [found] = responsesIn(first.flush());
    const [taken] = responsesIn(second.flush());
    expect(taken).to.deep.equal({ ...found, nonce: String(Number(found?.nonce) + 1) });
    expect(step(second, { typeUrl: routes, nonce: taken?.nonce ?? '' }).map(({ is }) => is)).to.deep.equal(['applied']);
  });

  it('holds back the refused resource from its own client alone', () => {
    const [first, second] = openAll(2) as [Either, Either];
    mesh.apply(weights(3));
    const [response] = responsesIn(first.flush());
    second.flush();
    const nonce = response?.nonce ?? '';
    expect(step(first, { typeUrl: routes, nonce }).map(({ is }) => is)).to.deep.equal(['applied']);
    const refused = step(second, { typeUrl: routes, nonce, error: { message: 'no', resources: [] } });
    expect(refused.map(({ is }) => is)).to.deep.equal(['refused']);
    expect(states(first, 'a.default:80')).to.deep.equal(['acked']);
    expect(states(second, 'a.default:80')).to.deep.equal(['nacked']);
    expect(states(second, 'b.default:80')).to.deep.equal(['acked']);
  });

  it('works out by itself what nobody else can have worked out: with a wildcard and few names', () => {
    const streams = new Streams(mesh, new Rests());
    const sessions = [streams.open(), streams.open()];
    for (const session of sessions) {
      settle(session, step(session, { typeUrl: cluster, subscribe: ['*'] }));
      settle(session, step(session, { typeUrl: routes, subscribe: ['a.default:80'] }));
    }
    mesh.onChange((change) => {
      for (const session of sessions) session.onChange(change);
    });
    mesh.apply(weights(3));
    const [first, second] = sessions.map((session) => session.flush());
    expect(second).to.deep.equal(first);
    expect(second).to.not.equal(first);
  });

  it('does not take a step that leads to an older state', () => {
    const [first, second] = openAll(2) as [Either, Either];
    mesh.apply(weights(3));
    first.flush();
    mesh.apply(weights(4));
    const [newest] = responsesIn(second.flush());
    expect(newest?.resources.map(({ version }) => version)).to.deep.equal([
      mesh.view.resource(routes, 'a.default:80')?.version,
    ]);
  });

  it('property: does what one does that never rests', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 60, size: 'max' }), (deeds) => {
        const pairs = new Pairs();
        for (const one of deeds) pairs.perform(one);
        pairs.end();
      }),
      { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 100) },
    );
  });
});

function states(session: Either, name: string): HeldResource['state'][] {
  return [...session.resources()].flatMap((each) =>
    each.typeUrl === routes && each.name === name ? [each.state] : [],
  );
}

const clients = 3;
const client = fc.nat(clients - 1);
const someType = fc.constantFrom(cluster, endpoint, routes);
const someService = fc.constantFrom('a', 'b', 's1');

const deed = fc.oneof(
  // Most often all goes well: that is what a rest is for.
  { weight: 4, arbitrary: fc.record({ is: fc.constant('settle' as const) }) },
  { weight: 4, arbitrary: fc.record({ is: fc.constant('weigh' as const), service: someService, weight: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('put' as const), service: someService, id: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('flush' as const), client }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('ack' as const), client, index: fc.nat(3) }) },
  fc.record({ is: fc.constant('nack' as const), client, index: fc.nat(3) }),
  fc.record({ is: fc.constant('again' as const), client }),
  fc.record({ is: fc.constant('unknown' as const), client, typeUrl: someType }),
  fc.record({ is: fc.constant('remove' as const), service: someService, id: fc.nat(2) }),
  fc.record({ is: fc.constant('split' as const), service: someService, subset: fc.constantFrom('v1', 'v2') }),
  fc.record({ is: fc.constant('unroute' as const), service: someService }),
  fc.record({ is: fc.constant('ask' as const), client, typeUrl: someType, service: someService }),
  fc.record({ is: fc.constant('drop' as const), client, typeUrl: someType, service: someService }),
  fc.record({ is: fc.constant('overdue' as const), client }),
  fc.record({ is: fc.constant('look' as const), client }),
  fc.record({ is: fc.constant('reconnect' as const), client }),
);
type Deed = typeof deed extends fc.Arbitrary<infer Value> ? Value : never;

/** Each client twice, on a stream that rests and on one that never does. */
class Pairs {
  readonly #mesh = new ModelMesh();
  readonly #kinds = [new Streams(this.#mesh, new Rests()), new Streams(this.#mesh)] as const;
  readonly #sessions: [resting: Either, plain: Either][] = [];
  readonly #pending: Response[][] = [];
  /** The answer that each gave last. */
  readonly #last: (Partial<Request> | undefined)[] = [];

  constructor() {
    for (const name of ['a', 'b']) this.#mesh.put(instanceOf(name, `${name}-0`));
    for (let index = 0; index < clients; index++) this.#open(index);
    this.#mesh.onChange((change) => {
      for (const pair of this.#sessions) {
        const touched = pair.map((session) => session.isTouchedBy(change));
        expect(touched[0]).to.equal(touched[1]);
        for (const session of pair) session.onChange(change);
      }
    });
    this.#settle();
  }

  end(): void {
    this.#settle();
    for (let index = 0; index < clients; index++) this.#look(index);
  }

  perform(one: Deed): void {
    switch (one.is) {
      case 'settle':
        return this.#settle();
      case 'weigh':
        this.#mesh.apply(
          route(one.service, `{ subset: v1, weight: ${one.weight} }, { subset: v2, weight: ${one.weight + 1} }`),
        );
        return;
      case 'split':
        return split(this.#mesh, one.service, one.subset);
      case 'unroute':
        this.#mesh.apply('', `Route/default/${one.service}`);
        return;
      case 'put':
        this.#mesh.put(instanceOf(one.service, `${one.service}-${one.id}`));
        return;
      case 'remove':
        this.#mesh.remove(one.service, `${one.service}-${one.id}`);
        return;
      case 'flush':
        return this.#both(one.client, (session) => session.flush());
      case 'ack':
        return this.#answer(one.client, one.index);
      case 'nack':
        return this.#answer(one.client, one.index, { message: 'no', resources: [] });
      case 'again':
        return this.#request(one.client, this.#last[one.client] ?? {});
      case 'unknown':
        return this.#request(one.client, { typeUrl: one.typeUrl, nonce: '999' });
      case 'ask':
        return this.#request(one.client, { typeUrl: one.typeUrl, subscribe: [nameOf(one.typeUrl, one.service)] });
      case 'drop':
        return this.#request(one.client, { typeUrl: one.typeUrl, unsubscribe: [nameOf(one.typeUrl, one.service)] });
      case 'overdue':
        return this.#both(one.client, (session) => [...session.onOverdue(), ...session.flush()]);
      case 'look':
        return this.#look(one.client);
      case 'reconnect':
        return this.#open(one.client);
    }
  }

  #open(index: number): void {
    for (const session of this.#sessions[index] ?? []) session.close();
    const [resting, plain] = this.#kinds;
    this.#sessions[index] = [resting.open(), plain.open()];
    this.#pending[index] = [];
    this.#last[index] = undefined;
    for (const [typeUrl, subscribe] of Object.entries(questions)) this.#request(index, { typeUrl, subscribe });
  }

  #request(index: number, parts: Partial<Request>): void {
    this.#both(index, (session) => step(session, parts));
  }

  #answer(index: number, which: number, error?: Request['error']): void {
    const pending = this.#pending[index] ?? [];
    const [response] = pending.splice(which % Math.max(1, pending.length), 1);
    if (response === undefined) return;
    this.#last[index] = { typeUrl: response.typeUrl, nonce: response.nonce };
    this.#request(index, { ...this.#last[index], error });
  }

  #settle(): void {
    for (let index = 0; index < clients; index++) this.perform({ is: 'flush', client: index });
    while (this.#pending.some((pending) => pending.length > 0)) {
      for (let index = 0; index < clients; index++) this.#answer(index, 0);
    }
  }

  #both(index: number, act: (session: Either) => readonly Effect[]): void {
    const [resting, plain] = this.#pair(index);
    const effects = act(plain);
    expect(act(resting)).to.deep.equal(effects);
    for (const key of ['waitsFor', 'holdsFor', 'isWildcard', 'hasMuchToSend', 'revision'] as const) {
      expect(resting[key], key).to.equal(plain[key]);
    }
    this.#pending[index]?.push(...responsesIn(effects));
  }

  #look(index: number): void {
    const [resting, plain] = this.#pair(index);
    expect([...resting.resources()]).to.deep.equal([...plain.resources()]);
  }

  #pair(index: number): [Either, Either] {
    const pair = this.#sessions[index];
    if (pair === undefined) throw new Error(`there is no client ${index}`);
    return pair;
  }
}

function nameOf(typeUrl: string, service: string): string {
  return typeUrl === routes ? `${service}.default:80` : `${service}.default|http|v1`;
}
