/** A foreign client at the other end of a session that may cohort, without a socket; checks the rules of xDS on every message. */
import { expect } from 'chai';
import { typeUrls } from '../../proto/type-urls.ts';
import type { ClientView } from '../../server/snapshot/client-view.ts';
import { Cohorts } from '../../server/xds/cohort.ts';
import { CohortSession } from '../../server/xds/cohort-session.ts';
import { ForeignSession } from '../../server/xds/foreign-session.ts';
import { NameSets, type SetIndex } from '../../server/xds/name-sets.ts';
import type { Effect, Protocol, Request, Response } from '../../server/xds/session.ts';
import type { OtherStreams } from '../../server/xds/siblings.ts';
import type { ModelMesh } from './model-mesh.ts';

export type Type = keyof typeof typeUrls;
const wholeSets: readonly Type[] = ['cluster', 'listener', 'scopedRoute'];

export class FakeClient {
  session: CohortSession<FakeClient>;
  readonly #open: () => CohortSession<FakeClient>;
  readonly #protocol: Protocol;
  /** Every response, as "cluster +a +b -c", in order. */
  readonly log: string[] = [];
  readonly effects: Effect[] = [];
  readonly held = new Map<string, string>();
  readonly responses: Response[] = [];
  /** Responses without an answer, oldest first. */
  readonly pending: Response[] = [];
  /** What the session wants to hear of, and how often it said so. */
  readonly heldServices = new Map<string, number>();
  interestCalls = 0;
  /** Called with each response when it has been applied. */
  onResponse: (response: Response) => void = () => {};
  /** ACK at once what comes; else `ack` and `nack` do. */
  isPrompt = true;
  #isAway = false;
  readonly #wanted = new Map<Type, Set<string>>();
  readonly #last = new Map<Type, Response>();
  /** State of the world: the version of what it took last, on any stream. */
  readonly #versions = new Map<Type, string>();
  /** Nonce of the newest response that was answered. */
  readonly #answered = new Map<Type, string>();

  /** `view`: all of the mesh unless given; `others`: other streams of the same client. */
  constructor(
    mesh: ModelMesh,
    protocol: Protocol,
    allowsLegacyWildcard = true,
    view: ClientView = mesh.view,
    others?: OtherStreams,
  ) {
    this.#protocol = protocol;
    const index: SetIndex<FakeClient> = {
      holdServiceBy: (key) => {
        this.interestCalls++;
        this.heldServices.set(key, (this.heldServices.get(key) ?? 0) + 1);
      },
      releaseServiceBy: (key) => {
        this.interestCalls++;
        const count = (this.heldServices.get(key) ?? 0) - 1;
        if (count > 0) this.heldServices.set(key, count);
        else this.heldServices.delete(key);
      },
    };
    const sets = new Map<string, NameSets<FakeClient>>();
    const setsOf = (typeUrl: string) => {
      const present = sets.get(typeUrl) ?? new NameSets<FakeClient>(typeUrl, view, index);
      sets.set(typeUrl, present);
      return present;
    };
    const { cache } = mesh;
    const options = { cache, view, protocol, allowsLegacyWildcard, member: this, setsOf, ...(others && { others }) };
    this.#open = () =>
      new CohortSession({ session: new ForeignSession<FakeClient>(options), cache, cohorts: new Cohorts() });
    this.session = this.#open();
    mesh.onChange((change) => {
      if (this.#isAway) return;
      this.session.onChange(change);
      this.#perform(this.session.flush());
    });
  }

  /** The stream is lost, with what was under way: nothing comes until `reconnect`. */
  disconnect(): void {
    this.session.close();
    this.#isAway = true;
    this.pending.length = 0;
    this.#last.clear();
    this.#answered.clear();
    // Nonces begin anew.
    this.responses.length = 0;
  }

  /** Another stream, on which it says what it holds and wants: this, or what it did, in the order in which it asked first. */
  reconnect(wanted: Readonly<Partial<Record<Type, readonly string[]>>> = {}): void {
    if (!this.#isAway) this.disconnect();
    this.#isAway = false;
    this.session = this.#open();
    for (const [type, names] of Object.entries(wanted)) this.#wanted.set(type as Type, new Set(names));
    for (const [type, names] of this.#wanted) {
      const held = this.holds(type).map((name) => [name, this.held.get(`${type} ${name}`) ?? '']);
      const initialVersions = this.#protocol === 'delta' ? Object.fromEntries(held) : {};
      if (names.size > 0) this.request(type, { subscribe: [...names], initialVersions });
    }
  }

  /** State of the world: all names that are wanted now. */
  want(type: Type, ...names: string[]): void {
    this.#wanted.set(type, new Set(names));
    this.request(type, { subscribe: names, nonce: this.#answered.get(type) ?? '' });
    // While a response is under way the server does not listen, and sends nothing again that was dropped meanwhile.
    if (!this.pending.some((response) => typeOf(response) === type)) this.#forgetUnwanted(type);
  }

  /** Delta: further names. */
  subscribe(type: Type, names: readonly string[], initialVersions: Record<string, string> = {}): void {
    this.#wanted.set(type, new Set([...(this.#wanted.get(type) ?? []), ...names]));
    this.request(type, { subscribe: names, initialVersions });
  }

  /** `want` or `subscribe`, as the protocol has it. */
  ask(type: Type, ...names: string[]): void {
    if (this.#protocol === 'sotw') this.want(type, ...names);
    else this.subscribe(type, names);
  }

  unsubscribe(type: Type, ...names: string[]): void {
    for (const name of names) this.#wanted.get(type)?.delete(name);
    this.#forgetUnwanted(type);
    this.request(type, { unsubscribe: names });
  }

  request(type: Type, parts: Partial<Request>): void {
    const version = this.#protocol === 'sotw' ? (this.#versions.get(type) ?? '') : '';
    const empty = { subscribe: [], unsubscribe: [], initialVersions: {}, version, nonce: '', error: undefined };
    this.#perform([
      ...this.session.onRequest({ ...empty, typeUrl: typeUrls[type], ...parts }),
      ...this.session.flush(),
    ]);
  }

  ack(type: Type, parts: Partial<Request> = {}): void {
    this.#answer(type, parts);
  }

  nack(type: Type, parts: Partial<Request> = {}): void {
    this.#answer(type, { error: { message: `no such ${type}`, resources: [] }, ...parts });
  }

  /** Answers a response that lies waiting; of one type state of the world answers in order. */
  answer(index: number, error?: Request['error']): void {
    const chosen = this.pending[index % Math.max(1, this.pending.length)];
    if (!chosen) return;
    const first = this.pending.find(({ typeUrl }) => typeUrl === chosen.typeUrl) ?? chosen;
    const { nonce, ...response } = this.#protocol === 'sotw' ? first : chosen;
    this.#answer(typeOf({ nonce, ...response }), { nonce, error });
  }

  wants(type: Type, name: string): boolean {
    const wanted = this.#wanted.get(type);
    return wanted?.has('*') || wanted?.has(name) || false;
  }

  /** The names that are wanted, wildcards aside. */
  namesOf(type: Type): string[] {
    return [...(this.#wanted.get(type) ?? [])].filter((name) => name !== '*');
  }

  /** The states reported as applied, in order. */
  get applied(): { revision: number; sequence: number }[] {
    return this.effects.flatMap((effect) =>
      effect.is === 'applied' ? [{ revision: effect.revision, sequence: effect.sequence }] : [],
    );
  }

  /** The server has reason to look whether it may go on. */
  flush(): void {
    this.#perform(this.session.flush());
  }

  /** "refused" and "applied", in order. */
  get reports(): string[] {
    return this.effects.map(({ is }) => is).filter((is) => is === 'applied' || is === 'refused');
  }

  overdue(): void {
    this.#perform([...this.session.onOverdue(), ...this.session.flush()]);
  }

  /** The log since the last call. */
  takeLog(): string[] {
    return this.log.splice(0);
  }

  holds(type: Type): string[] {
    return [...this.held.keys()].filter((key) => key.startsWith(`${type} `)).map((key) => key.slice(type.length + 1));
  }

  #answer(type: Type, parts: Partial<Request>): void {
    const last = this.#last.get(type);
    if (!last) throw new Error(`no ${type} response to answer`);
    const names = this.#protocol === 'sotw' ? { subscribe: [...(this.#wanted.get(type) ?? [])] } : {};
    const nonce = parts.nonce ?? last.nonce;
    this.#answered.set(type, nonce);
    const index = this.pending.findIndex((response) => response.nonce === nonce);
    if (index >= 0) this.pending.splice(index, 1);
    this.request(type, { ...names, ...parts, nonce });
  }

  #forgetUnwanted(type: Type): void {
    for (const name of this.holds(type)) if (!this.wants(type, name)) this.held.delete(`${type} ${name}`);
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.is === 'send') this.#onResponse(effect.response);
    }
    // What was sent together arrives together: answers come after it.
    const answers = effects.flatMap((effect) => (effect.is === 'send' ? [typeOf(effect.response)] : []));
    if (this.isPrompt) for (const type of answers) this.ack(type);
  }

  #onResponse(response: Response): void {
    const type = typeOf(response);
    const names = response.resources.map(({ name }) => name);
    const all = [...names, ...response.removed];
    expect(new Set(all).size, 'no name stands twice in a response').to.equal(all.length);
    expect(
      this.responses.every(({ nonce }) => nonce !== response.nonce),
      'a nonce is used once',
    ).to.equal(true);
    if (this.#protocol === 'sotw') this.#checkSotw(type, response);
    this.responses.push(response);
    this.pending.push(response);
    this.#last.set(type, response);
    this.#apply(type, response);
    this.#versions.set(type, response.version);
    this.onResponse(response);
    const parts = [
      ...names.sort().map((name) => `+${name}`),
      ...[...response.removed].sort().map((name) => `-${name}`),
    ];
    this.log.push([type, ...parts].join(' '));
  }

  #checkSotw(type: Type, response: Response): void {
    expect(response.removed, 'state of the world has no removals').to.deep.equal([]);
    const before = this.#last.get(type);
    if (before && wholeSets.includes(type)) {
      expect(response.version === before.version, 'equal content has equal versions').to.equal(
        contentOf(response) === contentOf(before),
      );
    }
    if (!wholeSets.includes(type)) expect(response.resources, `${type} is never sent empty`).to.not.deep.equal([]);
  }

  #apply(type: Type, response: Response): void {
    if (this.#protocol === 'sotw' && wholeSets.includes(type)) {
      for (const name of this.holds(type)) this.held.delete(`${type} ${name}`);
    }
    for (const { name, version } of response.resources) this.held.set(`${type} ${name}`, version);
    for (const name of response.removed) this.held.delete(`${type} ${name}`);
  }
}

export function typeOf({ typeUrl }: Response): Type {
  return Object.entries(typeUrls).find(([, url]) => url === typeUrl)?.[0] as Type;
}

function contentOf({ resources }: Response): string {
  const parts = resources.map(({ name, version }) => `${name} ${version}`);
  return parts.sort().join();
}
