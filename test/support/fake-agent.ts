/**
 * An own agent at the other end of an AgentSession, without a socket. It does what the real one does (stage, swap at
 * the mark, ACK or refuse) and checks the rules of the protocol on every message, so that every test does.
 */

import { expect } from 'chai';
import { toNumber } from '../../proto/load.ts';
import { markName, typeUrls } from '../../proto/type-urls.ts';
import { Name, Revision, RouteConfiguration } from '../../proto/types.ts';
import { namedClusters } from '../../routing/named-clusters.ts';
import type { EncodedResource } from '../../server/compile/encoded-resource.ts';
import type { SnapshotChange } from '../../server/snapshot/snapshot-cache.ts';
import { AgentSession } from '../../server/xds/agent-session.ts';
import { sendOrder } from '../../server/xds/holdings.ts';
import type { Effect, Interest, RefusedResource, Request, Response } from '../../server/xds/session.ts';
import type { ModelMesh } from './model-mesh.ts';

export interface Held {
  meshId: string;
  revision: number;
  names: Set<string>;
  resources: Map<string, EncodedResource>;
}

export const nothingHeld = (): Held => ({ meshId: '', revision: 0, names: new Set(), resources: new Map() });

export interface Batch {
  /** "Cluster reviews.default|http|v1" and the like, in the order of arrival; removals begin with "-". */
  readonly content: readonly string[];
  readonly revision: number;
}

const shortNames = new Map<string, string>(Object.entries(typeUrls).map(([short, url]) => [url, short]));
const key = (typeUrl: string, name: string) => `${shortNames.get(typeUrl)} ${name}`;

export class FakeAgent {
  readonly held: Held;
  readonly session: AgentSession;
  readonly batches: Batch[] = [];
  readonly applied: number[] = [];
  /** Revisions of which the session said that they change something it holds. */
  readonly touched: number[] = [];
  readonly refused: Extract<Effect, { is: 'refused' }>[] = [];
  readonly absent = new Set<string>();
  readonly services = new Set<string>();
  /** Set to keep marks unanswered: they wait in `unanswered`. */
  isSlow = false;
  unanswered: Response | undefined;
  #refusals: ((staged: Held) => readonly RefusedResource[] | undefined)[] = [];
  #staged: Response[] = [];
  readonly #nonces = new Set<string>();
  #sequence = 0;
  readonly #stop: () => void;

  constructor(mesh: ModelMesh, held: Held = nothingHeld(), ownService?: string) {
    this.held = held;
    const interest: Interest = {
      holdService: (service) => this.services.add(service),
      releaseService: (service) => this.services.delete(service),
      holdName: () => {},
      releaseName: () => {},
    };
    const presented = { meshId: held.meshId, revision: held.revision };
    this.session = new AgentSession({ cache: mesh.cache, interest, ownService, presented });
    this.#stop = mesh.onChange((change, isRevision) => this.#onChange(change, isRevision));
  }

  /** The first messages of a stream, as the real agent sends them. Answers how many responses came before the mark was asked for. */
  connect(): number {
    let early = 0;
    for (const typeUrl of [typeUrls.endpoint, typeUrls.cluster, typeUrls.routeConfiguration, typeUrls.listener]) {
      early += this.#send({ typeUrl, initialVersions: this.#versions(typeUrl) });
    }
    early += this.#send({
      typeUrl: typeUrls.name,
      subscribe: [...this.held.names],
      initialVersions: this.#versions(typeUrls.name),
    });
    this.#send({ typeUrl: typeUrls.mark, subscribe: [markName] });
    return early;
  }

  ask(...names: string[]): void {
    for (const name of names) this.held.names.add(name);
    this.#send({ typeUrl: typeUrls.name, subscribe: names });
  }

  forget(...names: string[]): void {
    for (const name of names) {
      this.held.names.delete(name);
      this.absent.delete(name);
    }
    this.#send({ typeUrl: typeUrls.name, unsubscribe: names });
  }

  /** The next mark is refused, naming what the function finds wrong in what would be used; `undefined` accepts. */
  refuseNext(verdict: (staged: Held) => readonly RefusedResource[] | undefined): void {
    this.#refusals.push(verdict);
  }

  /** Answers the mark that a slow agent has kept waiting. */
  answer(): void {
    const response = this.unanswered;
    this.unanswered = undefined;
    if (response) this.#onMark(response);
  }

  disconnect(): Held {
    this.#stop();
    this.session.close();
    return this.held;
  }

  /** What it holds, as "Cluster reviews.default|http|v1" and the like, sorted. */
  holds(): string[] {
    return [...this.held.resources.keys()].sort();
  }

  get lastBatch(): Batch | undefined {
    return this.batches.at(-1);
  }

  #onChange(change: SnapshotChange, isRevision: boolean): void {
    this.session.onChange(change);
    if (isRevision && this.session.isTouchedBy(change)) {
      this.touched.push(change.revision);
      this.session.owe();
    }
    this.#perform(this.session.flush());
  }

  #versions(typeUrl: string): Record<string, string> {
    const own = [...this.held.resources.values()].filter((resource) => resource.typeUrl === typeUrl);
    return Object.fromEntries(own.map(({ name, version }) => [name, version]));
  }

  #send(request: Partial<Request> & { typeUrl: string }): number {
    const effects = this.session.onRequest({
      subscribe: [],
      unsubscribe: [],
      initialVersions: {},
      version: '',
      nonce: '',
      error: undefined,
      ...request,
    });
    this.#perform(effects);
    return effects.length;
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.is === 'applied') this.applied.push(effect.revision);
      else if (effect.is === 'refused') this.refused.push(effect);
      else if (effect.is === 'close') throw new Error(`the session wants to close: ${effect.message}`);
      else if (effect.is === 'send') this.#onResponse(effect.response);
    }
  }

  #onResponse(response: Response): void {
    expect(this.#nonces.has(response.nonce), 'a nonce is used once').to.equal(false);
    this.#nonces.add(response.nonce);
    expect(this.unanswered, 'nothing is sent while a mark waits for its answer').to.equal(undefined);
    const names = [...response.resources.map(({ name }) => name), ...response.removed];
    expect(new Set(names).size, 'a name stands once in a response').to.equal(names.length);
    if (response.typeUrl !== typeUrls.mark) {
      this.#checkOrder(response);
      this.#staged.push(response);
      this.#send({ typeUrl: response.typeUrl, nonce: response.nonce });
      return;
    }
    if (this.isSlow) this.unanswered = response;
    else this.#onMark(response);
  }

  /** Types come in their order, then what is removed, in the reverse order. */
  #checkOrder(response: Response): void {
    const places = [...this.#staged, response].map(({ typeUrl, removed }) => {
      const place = sendOrder.indexOf(typeUrl as (typeof sendOrder)[number]);
      expect(place, `${typeUrl} is one of the types of an agent`).to.be.at.least(0);
      return removed.length > 0 ? 2 * sendOrder.length - place : place;
    });
    expect(places, 'types and removals in order').to.deep.equal([...places].sort((a, b) => a - b));
  }

  #onMark(response: Response): void {
    const [mark] = response.resources;
    expect(response.resources, 'a mark stands alone').to.have.lengthOf(1);
    const { meshId, revision, sequence } = Revision.decode(mark?.bytes ?? Buffer.alloc(0));
    expect(mark?.name).to.equal(markName);
    expect(mark?.version, 'the version of a mark is its sequence').to.equal(String(sequence));
    expect(toNumber(sequence), 'sequences count').to.equal(++this.#sequence);
    expect(toNumber(revision), 'no mark lowers the revision').to.be.at.least(this.held.revision);
    const staged = this.#stage(toNumber(revision), meshId);
    const refusal = this.#refusals.shift()?.(staged);
    if (!refusal) {
      this.#checkClosure(staged);
      Object.assign(this.held, staged);
    }
    this.#staged = [];
    const error = refusal && { message: 'cannot be used', resources: refusal };
    this.#send({ typeUrl: typeUrls.mark, nonce: response.nonce, ...(error && { error }) });
  }

  #stage(revision: number, meshId: string): Held {
    const resources = new Map(this.held.resources);
    const content: string[] = [];
    for (const { typeUrl, resources: changed, removed } of this.#staged) {
      for (const resource of changed) {
        resources.set(key(typeUrl, resource.name), resource);
        content.push(key(typeUrl, resource.name));
        if (typeUrl === typeUrls.name) this.absent.delete(resource.name);
      }
      for (const name of removed) {
        resources.delete(key(typeUrl, name));
        content.push(`-${key(typeUrl, name)}`);
        if (typeUrl === typeUrls.name) this.absent.add(name);
      }
    }
    this.batches.push({ content, revision });
    return { meshId, revision, names: this.held.names, resources };
  }

  /** Never a name without its routes, a route without its cluster, a cluster without its endpoints. */
  #checkClosure({ resources }: Held): void {
    for (const { typeUrl, name, bytes } of resources.values()) {
      if (typeUrl === typeUrls.name) {
        for (const route of Name.decode(bytes).routeConfigurations) {
          expect(resources.has(key(typeUrls.routeConfiguration, route)), `${name} needs ${route}`).to.equal(true);
        }
      }
      if (typeUrl === typeUrls.cluster) {
        expect(resources.has(key(typeUrls.endpoint, name)), `${name} needs its endpoints`).to.equal(true);
      }
      if (typeUrl === typeUrls.routeConfiguration) {
        for (const cluster of clustersOf(bytes)) {
          expect(resources.has(key(typeUrls.cluster, cluster)), `${name} needs ${cluster}`).to.equal(true);
        }
      }
    }
  }
}

/** Names of the clusters that a route configuration sends to. */
export function clustersOf(bytes: Uint8Array): string[] {
  return namedClusters(RouteConfiguration.decode(bytes));
}
