/** Drives a session as a server would, and checks on every message what holds for every stream. */
import { expect } from 'chai';
import { createEmptyMeshView, type MeshView } from '../../../../agent/view/mesh-view.ts';
import { viewCreator } from '../../../../agent/xds/create-view.ts';
import { DeltaSession, type Effect, type Request, type SessionOptions } from '../../../../agent/xds/delta-session.ts';
import { type HeldMesh, markTypeUrl, nothingHeld } from '../../../../agent/xds/resources.ts';
import { createLog } from '../../../../process/log.ts';
import { type DeltaDiscoveryResponse, Refusal } from '../../../../proto/types.ts';

export const identity = {
  id: 'web-1',
  service: 'web',
  namespace: 'default',
  zone: 'z1',
  version: '0.1.0',
  hasApp: true,
};

export const silent = createLog('test', 'silent');
export const createView = viewCreator({ agentId: 'web-1' }, silent);

/** A message as a test wants to read it. */
export type Said =
  | { readonly ack: string }
  | { readonly nack: string; readonly reasons: readonly string[] }
  | { readonly subscribe: readonly string[] }
  | { readonly unsubscribe: readonly string[] };

export class SessionHarness {
  readonly session: DeltaSession;
  readonly effects: Effect[] = [];
  held: HeldMesh;
  view: MeshView;
  readonly #unanswered = new Map<string, string>();

  constructor(options: Partial<SessionOptions> = {}) {
    this.held = options.held ?? nothingHeld;
    this.view = createEmptyMeshView();
    const created = createView(this.held, this.view);
    if ('view' in created) this.view = created.view;
    this.session = new DeltaSession({
      identity,
      held: this.held,
      view: this.view,
      names: [],
      acceptMesh: undefined,
      createView,
      ...options,
    });
  }

  start(): Request[] {
    return this.#take(this.session.start()).flatMap((effect) => (effect.do === 'send' ? [effect.request] : []));
  }

  /** Sends responses and answers with what the agent said to them. */
  receive(...responses: readonly DeltaDiscoveryResponse[]): Said[] {
    return responses.flatMap((response) => {
      this.#unanswered.set(response.nonce, response.typeUrl);
      const effects = this.#take(this.session.onResponse(response));
      expect([...this.#unanswered.keys()], 'each response has its verdict at once').to.deep.equal([]);
      return said(effects);
    });
  }

  subscribe(...names: readonly string[]): Said[] {
    return said(this.#take(this.session.subscribe(names)));
  }

  unsubscribe(...names: readonly string[]): Said[] {
    return said(this.#take(this.session.unsubscribe(names)));
  }

  /** Effects but for messages, and forgets them. */
  decisions(): Exclude<Effect, { do: 'send' | 'confirm' }>[] {
    return this.effects
      .splice(0)
      .flatMap((effect) => (effect.do === 'send' || effect.do === 'confirm' ? [] : [effect]));
  }

  #take(effects: readonly Effect[]): readonly Effect[] {
    for (const [index, effect] of effects.entries()) {
      if (effect.do === 'send' || effect.do === 'confirm') this.#check(effect.request);
      if (effect.do === 'confirm') expect(effects[index - 1]?.do, 'what is confirmed is a swap').to.equal('swap');
      if (effect.do === 'swap' || effect.do === 'shrink') {
        this.held = effect.held;
        this.view = effect.view;
      }
    }
    this.effects.push(...effects);
    return effects;
  }

  #check({ typeUrl, responseNonce, initialResourceVersions }: Request): void {
    const mark = typeUrl === markTypeUrl;
    expect(mark && initialResourceVersions !== undefined, 'the mark has no initial version').to.equal(false);
    if (responseNonce === undefined) return;
    expect(this.#unanswered.get(responseNonce), 'a verdict is on a response that has none').to.equal(typeUrl);
    this.#unanswered.delete(responseNonce);
  }
}

function said(effects: readonly Effect[]): Said[] {
  return effects.flatMap((effect): Said[] => {
    if (effect.do !== 'send' && effect.do !== 'confirm') return [];
    const {
      typeUrl = '',
      errorDetail,
      responseNonce,
      resourceNamesSubscribe,
      resourceNamesUnsubscribe,
    } = effect.request;
    const kind = typeUrl.split('.').at(-1) ?? '';
    if (resourceNamesSubscribe !== undefined) return [{ subscribe: resourceNamesSubscribe }];
    if (resourceNamesUnsubscribe !== undefined) return [{ unsubscribe: resourceNamesUnsubscribe }];
    if (responseNonce !== undefined && errorDetail == null) return [{ ack: kind }];
    const details = (errorDetail?.details ?? []).flatMap(({ value }) => Refusal.decode(value ?? Buffer.of()).resources);
    const reasons = details.map(({ typeUrl, name, reason }) => `${typeUrl.split('.').at(-1)} ${name}: ${reason}`);
    expect(errorDetail?.code, 'the code of a refusal').to.equal(13);
    return [{ nack: kind, reasons }];
  });
}
