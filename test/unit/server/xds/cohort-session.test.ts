import { expect } from 'chai';
import fc from 'fast-check';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { EnvoyView } from '../../../../server/snapshot/envoy-view.ts';
import { Cohorts } from '../../../../server/xds/cohort.ts';
import { CohortSession } from '../../../../server/xds/cohort-session.ts';
import { ForeignSession } from '../../../../server/xds/foreign-session.ts';
import { NameSets } from '../../../../server/xds/name-sets.ts';
import type { Effect, HeldResource, Request, Response } from '../../../../server/xds/session.ts';
import { plainEnvoyNode } from '../../../support/envoy-node.ts';
import { instanceOf, ModelMesh } from '../../../support/model-mesh.ts';
import { route } from '../rules/rules-world.ts';

type Either = ForeignSession<object> | CohortSession<object>;

/** Streams of one server: `cohorts` when they may go together. */
class Streams {
  readonly #mesh: ModelMesh;
  readonly #view: EnvoyView;
  readonly #cohorts: Cohorts | undefined;
  readonly #sets = new Map<string, NameSets<object>>();

  constructor(mesh: ModelMesh, cohorts?: Cohorts) {
    this.#mesh = mesh;
    this.#view = new EnvoyView(mesh.cache, node, 'mesh.local');
    this.#cohorts = cohorts;
  }

  open(): Either {
    const { cache } = this.#mesh;
    const session = new ForeignSession<object>({
      cache,
      view: this.#view,
      protocol: 'delta',
      allowsLegacyWildcard: true,
      member: {},
      setsOf: (typeUrl) => this.#setsOf(typeUrl),
    });
    return this.#cohorts === undefined ? session : new CohortSession({ session, cache, cohorts: this.#cohorts });
  }

  #setsOf(typeUrl: string): NameSets<object> {
    const nobody = { holdServiceBy: () => {}, releaseServiceBy: () => {} };
    const sets = this.#sets.get(typeUrl) ?? new NameSets<object>(typeUrl, this.#view, nobody);
    this.#sets.set(typeUrl, sets);
    return sets;
  }
}

/** Names enough for equal sets to be shared; most of them are never there. */
const many = Array.from({ length: 40 }, (_, index) => `s${index}`);
/** Services y and z are none of its: nobody hears of y, and of z who sends to it. */
const node = { ...plainEnvoyNode, services: ['a', 'b', ...many].map((service) => `${service}.default`) };
const blank = { subscribe: [], unsubscribe: [], initialVersions: {}, version: '', nonce: '', error: undefined };
const [cluster, endpoint, routes] = [typeUrls.cluster, typeUrls.endpoint, typeUrls.routeConfiguration];
const routeNames = ['a', 'b', ...many].map((service) => `${service}.default:80`);
const endpointNames = ['a', 'b', 'z', ...many].flatMap((service) => [
  `${service}.default|http|`,
  `${service}.default|http|v1`,
  `${service}.default|http|v2`,
]);
const questions: Readonly<Record<string, readonly string[]>> = {
  [cluster]: ['*'],
  [typeUrls.scopedRoute]: ['*'],
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

describe('a session that goes with its cohort', () => {
  let mesh: ModelMesh;

  beforeEach(() => {
    mesh = new ModelMesh();
    for (const name of ['a', 'b', 'z']) mesh.put(instanceOf(name, `${name}-0`));
    split(mesh, 'a', 'v1');
    mesh.apply(weights(1));
  });

  const weights = (v1: number) => route('a', `{ subset: v1, weight: ${v1} }, { subset: v2, weight: 1 }`);

  function openAll(count: number, streams = new Streams(mesh, new Cohorts())): Either[] {
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
    const streams = new Streams(mesh, new Cohorts());
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

  it('is of another cohort when it asks for everything besides', () => {
    const streams = new Streams(mesh, new Cohorts());
    const [first, second] = [streams.open(), streams.open()];
    for (const session of [first, second]) settle(session, step(session, { typeUrl: routes, subscribe: routeNames }));
    settle(second, step(second, { typeUrl: routes, subscribe: ['*'] }));
    for (const session of [first, second]) session.flush();
    mesh.put(instanceOf('s1', 's1-0'));
    mesh.onChange((change) => {
      for (const session of [first, second]) session.onChange(change);
    });
    mesh.apply(weights(3));
    first.flush();
    second.flush();
    expect([first.isWildcard, second.isWildcard]).to.deep.equal([false, true]);
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

  it('property: does what one does that never goes with others', () => {
    fc.assert(
      fc.property(someTypes, fc.array(deed, { maxLength: 60, size: 'max' }), (types, deeds) => {
        const pairs = new Pairs(types);
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

/** Some ask for no endpoints, some for no scopes. */
const someTypes = fc.constantFrom(Object.keys(questions), [cluster, routes], [cluster, endpoint, routes]);
const clients = 3;
const client = fc.nat(clients - 1);
const someType = fc.constantFrom(cluster, endpoint, routes);
const someService = fc.constantFrom('a', 'b', 's1');
const anyService = fc.constantFrom('a', 'b', 's1', 'y', 'z');

/** What a client does with what a change has brought it: most often it takes it. */
const reaction = fc.oneof(
  { weight: 12, arbitrary: fc.constant('ack' as const) },
  {
    weight: 6,
    arbitrary: fc.constantFrom('late', 'again', 'nack', 'more', 'ask', 'drop', 'look', 'overdue', 'absurd'),
  },
);

const deed = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      is: fc.constant('round' as const),
      of: fc.constantFrom('rules', 'instances'),
      reactions: fc.tuple(reaction, reaction, reaction),
    }),
  },
  // Most often all goes well: that is what cohorts are for.
  { weight: 16, arbitrary: fc.record({ is: fc.constant('settle' as const) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      is: fc.constant('weigh' as const),
      service: fc.constantFrom<string>('a', 'b'),
      weight: fc.nat(3),
    }),
  },
  { weight: 6, arbitrary: fc.record({ is: fc.constant('put' as const), service: anyService, id: fc.nat(2) }) },
  { weight: 12, arbitrary: fc.record({ is: fc.constant('flush' as const), client }) },
  { weight: 8, arbitrary: fc.record({ is: fc.constant('ack' as const), client, index: fc.nat(3) }) },
  fc.record({ is: fc.constant('nack' as const), client, index: fc.nat(3) }),
  fc.record({ is: fc.constant('again' as const), client, index: fc.nat(5) }),
  fc.record({ is: fc.constant('absurd' as const), client }),
  fc.record({ is: fc.constant('lead' as const), service: someService }),
  fc.record({ is: fc.constant('idle' as const), client }),
  fc.record({ is: fc.constant('unknown' as const), client, typeUrl: fc.oneof(someType, fc.constant('of.nobody')) }),
  fc.record({ is: fc.constant('remove' as const), service: anyService, id: fc.nat(2) }),
  fc.record({ is: fc.constant('split' as const), service: someService, subset: fc.constantFrom('v1', 'v2') }),
  fc.record({ is: fc.constant('unroute' as const), service: someService }),
  fc.record({ is: fc.constant('ask' as const), client, typeUrl: someType, service: someService }),
  fc.record({ is: fc.constant('drop' as const), client, typeUrl: someType, service: someService }),
  fc.record({ is: fc.constant('overdue' as const), client }),
  fc.record({ is: fc.constant('look' as const), client }),
  fc.record({ is: fc.constant('reconnect' as const), client }),
);
type Deed = typeof deed extends fc.Arbitrary<infer Value> ? Value : never;

/** Each client twice: on a stream that goes with its cohort, and on one that never does. Each kind has a view of its own. */
class Pairs {
  readonly #mesh = new ModelMesh();
  readonly #kinds = [new Streams(this.#mesh, new Cohorts()), new Streams(this.#mesh)] as const;
  readonly #sessions: [resting: Either, plain: Either][] = [];
  readonly #pending: Response[][] = [];
  #rounds = 0;
  readonly #types: readonly string[];
  /** The answers that each gave, the newest first. */
  readonly #given: Partial<Request>[][] = [];

  constructor(types: readonly string[]) {
    this.#types = types;
    for (const name of ['a', 'b', 'z']) this.#mesh.put(instanceOf(name, `${name}-0`));
    for (const service of ['a', 'b']) this.perform({ is: 'weigh', service, weight: 0 });
    for (let index = 0; index < clients; index++) this.#open(index);
    this.#mesh.onChange((change) => {
      for (const [resting, plain] of this.#sessions) {
        for (const session of [resting, plain]) session.onChange(change);
        // Only of changes of rules somebody asks.
        if (change.sequence % 2 === 0) expect(resting.isTouchedBy(change)).to.equal(plain.isTouchedBy(change));
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
      case 'round':
        return this.#round(one);
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
        return this.#answer(one.client, one.index, { error: { message: 'no', resources: [] } });
      case 'again':
        return this.#request(one.client, this.#given[one.client]?.[one.index] ?? {});
      case 'absurd':
        return this.#answer(one.client, 0, { initialVersions: { ['x'.repeat(2_000)]: '1' } });
      case 'lead':
        this.#mesh.apply(route(one.service, '{ service: z }'));
        return;
      case 'idle':
        return this.#open(one.client, []);
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

  /** All have everything; something changes, all are sent it, and each does something with it. */
  #round({ of, reactions }: Extract<Deed, { is: 'round' }>): void {
    this.#settle();
    this.#rounds++;
    if (of === 'rules') this.perform({ is: 'weigh', service: 'a', weight: this.#rounds });
    else this.perform({ is: this.#rounds % 2 === 0 ? 'put' : 'remove', service: 'b', id: 1 });
    for (let index = 0; index < clients; index++) this.perform({ is: 'flush', client: index });
    for (const [index, is] of reactions.entries()) {
      const typeUrl = of === 'rules' ? routes : endpoint;
      if (is === 'late') continue;
      if (is === 'more') this.#answer(index, 0, { subscribe: [nameOf(typeUrl, 'a')] });
      if (is === 'ack' || is === 'nack' || is === 'again') this.perform({ is, client: index, index: 0 });
      else if (is === 'ask' || is === 'drop') this.perform({ is, client: index, typeUrl, service: 'a' });
      else if (is === 'look' || is === 'overdue' || is === 'absurd') this.perform({ is, client: index });
    }
  }

  #open(index: number, types = this.#types): void {
    for (const session of this.#sessions[index] ?? []) session.close();
    const [resting, plain] = this.#kinds;
    this.#sessions[index] = [resting.open(), plain.open()];
    this.#pending[index] = [];
    this.#given[index] = [];
    for (const typeUrl of types) this.#request(index, { typeUrl, subscribe: questions[typeUrl] ?? [] });
  }

  #request(index: number, parts: Partial<Request>): void {
    this.#both(index, (session) => step(session, parts));
  }

  #answer(index: number, which: number, more: Partial<Request> = {}): void {
    const pending = this.#pending[index] ?? [];
    const [response] = pending.splice(which % Math.max(1, pending.length), 1);
    if (response === undefined) return;
    const answer = { typeUrl: response.typeUrl, nonce: response.nonce };
    this.#given[index]?.unshift(answer);
    this.#request(index, { ...answer, ...more });
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
