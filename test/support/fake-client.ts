/** A foreign client at the other end of a ForeignSession, without a socket; checks the rules of xDS on every message. */
import { expect } from 'chai';
import { typeUrls } from '../../proto/type-urls.ts';
import { ForeignSession } from '../../server/xds/foreign-session.ts';
import type { Effect, Request, Response } from '../../server/xds/session.ts';
import type { Protocol } from '../../server/xds/subscription.ts';
import type { ModelMesh } from './model-mesh.ts';

export type Type = keyof typeof typeUrls;
const wholeSets: readonly Type[] = ['cluster', 'listener'];

export class FakeClient {
  readonly session: ForeignSession;
  readonly #protocol: Protocol;
  /** Every response, as "cluster +a +b -c", in order. */
  readonly log: string[] = [];
  readonly effects: Effect[] = [];
  readonly held = new Map<string, string>();
  readonly responses: Response[] = [];
  /** ACK at once what comes; else `ack` and `nack` do. */
  isPrompt = true;
  readonly #wanted = new Map<Type, Set<string>>();
  readonly #last = new Map<Type, Response>();

  constructor(mesh: ModelMesh, protocol: Protocol, allowsLegacyWildcard = true) {
    const nothing = () => {};
    const interest = { holdService: nothing, releaseService: nothing, holdName: nothing, releaseName: nothing };
    this.#protocol = protocol;
    this.session = new ForeignSession({ cache: mesh.cache, interest, protocol, allowsLegacyWildcard });
    mesh.onChange((change) => {
      this.session.onChange(change);
      this.#perform(this.session.flush());
    });
  }

  /** State of the world: all names that are wanted now. */
  want(type: Type, ...names: string[]): void {
    this.#wanted.set(type, new Set(names));
    this.request(type, { subscribe: names, nonce: this.#last.get(type)?.nonce ?? '' });
  }

  /** Delta: further names. */
  subscribe(type: Type, names: readonly string[], initialVersions: Record<string, string> = {}): void {
    this.request(type, { subscribe: names, initialVersions });
  }

  unsubscribe(type: Type, ...names: string[]): void {
    this.request(type, { unsubscribe: names });
  }

  request(type: Type, parts: Partial<Request>): void {
    const empty = { subscribe: [], unsubscribe: [], initialVersions: {}, nonce: '', error: undefined };
    this.#perform(this.session.onRequest({ ...empty, typeUrl: typeUrls[type], ...parts }));
  }

  ack(type: Type, parts: Partial<Request> = {}): void {
    this.#answer(type, parts);
  }

  nack(type: Type, parts: Partial<Request> = {}): void {
    this.#answer(type, { error: { message: `no such ${type}`, resources: [] }, ...parts });
  }

  overdue(): void {
    this.#perform(this.session.onOverdue());
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
    this.request(type, { ...names, nonce: last.nonce, ...parts });
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
    this.#last.set(type, response);
    this.#apply(type, response);
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

function typeOf({ typeUrl }: Response): Type {
  return Object.entries(typeUrls).find(([, url]) => url === typeUrl)?.[0] as Type;
}

function contentOf({ resources }: Response): string {
  const parts = resources.map(({ name, version }) => `${name} ${version}`);
  return parts.sort().join();
}
