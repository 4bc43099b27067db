/**
 * The stream of an own agent: delta ADS, in batches. A batch is cut from one state of the snapshot cache and ends with
 * the commit mark; the agent swaps all of it in at once and ACKs the mark when it routes by it. At most one mark is
 * under way; what changes meanwhile joins the next batch. (docs/wire.md; no I/O here.)
 *
 *     gathering ──the mark is subscribed──► live        foreign: the agent keeps another mesh's configuration
 *         └──► behind: the agent has seen a newer revision than this server; answered once it has caught up
 */
import { typeUrls } from '../../proto/type-urls.ts';
import { haveSameRules, resourcesOf } from '../snapshot/service-snapshot.ts';
import type { SnapshotCache, SnapshotChange } from '../snapshot/snapshot-cache.ts';
import { encodeMark } from './commit-mark.ts';
import { heldByAgent } from './held-by-agent.ts';
import { type Difference, Holdings, resourceKey, sendOrder } from './holdings.ts';
import type { Effect, HeldResource, Interest, Request, Response, Session } from './session.ts';
import { Withheld } from './withheld.ts';

/** A gRPC status: the client broke a rule. */
const INVALID_ARGUMENT = 3;

/** What is removed goes last, and what depends on it before it. */
const removeOrder = [...sendOrder].reverse();

/** An agent asks for what its application calls; more is a fault, and would cost this server memory. */
export const mostNames = 20_000;

/** Resources that an agent may come with: more than its names can need. */
const mostPresented = 400_000;

/** DNS has no longer ones. */
const longestName = 253;

export interface AgentSessionOptions {
  readonly cache: SnapshotCache;
  readonly interest: Interest;
  /** The service whose inbound side the agent is; undefined for an agent without application. */
  readonly ownService: string | undefined;
  /** What the agent says it holds: '' and 0 for nothing. */
  readonly presented: { readonly meshId: string; readonly revision: number };
}

export type AgentPhase = 'gathering' | 'behind' | 'foreign' | 'live';

/** What a batch was made for, to be done again when it is refused. */
interface Work {
  readonly names: Set<string>;
  readonly services: Set<string>;
  /** Names whose question is open: they are answered even when nothing about them changed. */
  readonly answers: Set<string>;
}

interface Batch {
  readonly nonce: string;
  readonly work: Work;
  /** What the mark says. */
  readonly revision: number;
  /** What it brings, by type URL. */
  readonly sent: Difference['changed'];
  /** What it was cut from. */
  readonly cut: { readonly revision: number; readonly sequence: number };
}

export class AgentSession implements Session {
  readonly #options: AgentSessionOptions;
  readonly #holdings: Holdings;
  readonly #withheld: Withheld;
  readonly #names = new Set<string>();
  #phase: AgentPhase;
  #work = emptyWork();
  #underWay: Batch | undefined;
  #applied: number;
  /** The revision up to which the agent was sent everything that concerns it. */
  #cutRevision = 0;
  /** Set by a change that has to be confirmed by a mark, whether or not anything differs. */
  #owesMark = false;
  /** Refused twice without anything new to withhold: nothing is sent until the rules change. */
  #frozenAt: number | undefined;
  #mayNamesDiffer = false;
  #sequence = 0;
  #nonce = 0;

  constructor(options: AgentSessionOptions) {
    this.#options = options;
    this.#withheld = new Withheld(options.cache);
    this.#holdings = new Holdings(options.interest, options.ownService);
    const { presented, cache } = options;
    this.#phase = presented.meshId !== '' && presented.meshId !== cache.meshId ? 'foreign' : 'gathering';
    this.#applied = this.#phase === 'foreign' ? 0 : presented.revision;
  }

  get phase(): AgentPhase {
    return this.#phase;
  }

  /** The names that the agent asks for and that stand for something, when they may have changed since last asked. */
  takeChangedNames(): readonly string[] | undefined {
    if (!this.#mayNamesDiffer) return undefined;
    this.#mayNamesDiffer = false;
    return [...this.#names].filter((name) => this.#holdings.holdsName(name));
  }

  /** Resources that the agent has, or will have when it takes what is under way: type URL -> name -> version. */
  versions(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return new Map(sendOrder.map((typeUrl) => [typeUrl, this.#holdings.versionsOf(typeUrl)]));
  }

  resources(): Iterable<HeldResource> {
    const underWay = versionsIn(this.#underWay?.sent ?? new Map());
    return heldByAgent({ ...this.#options, holdings: this.#holdings, refused: this.#withheld.refused, underWay });
  }

  onRequest(request: Request): Effect[] {
    if (request.typeUrl === typeUrls.mark) return this.#onMark(request);
    if (this.#phase === 'gathering') {
      const presented = this.#holdings.presented(request.typeUrl, request.initialVersions);
      if (presented > mostPresented) return refused(`an agent may hold ${mostPresented} resources at most`);
    }
    if (request.typeUrl !== typeUrls.name) return [];
    const asked = request.subscribe.filter((name) => name.length <= longestName);
    for (const name of asked) this.#ask(name, request.initialVersions);
    for (const name of request.unsubscribe) this.#forget(name);
    if (this.#names.size > mostNames) return refused(`an agent may ask for ${mostNames} names at most`);
    return this.flush();
  }

  onChange(change: SnapshotChange): void {
    for (const { key, before, after, isRuleChange, changed, names } of change.services) {
      this.#work.services.add(key);
      for (const [typeUrl, name] of changed) {
        if (typeUrl === typeUrls.name && this.#names.has(name)) this.#work.names.add(name);
      }
      if (!isRuleChange) continue;
      for (const name of names) if (this.#names.has(name)) this.#work.names.add(name);
      if (before) this.#noteNamesIn(before.addresses);
      if (after && after.addresses !== before?.addresses) this.#noteNamesIn(after.addresses);
    }
  }

  #noteNamesIn(addresses: ReadonlySet<string>): void {
    const [fewer, others] = addresses.size < this.#names.size ? [addresses, this.#names] : [this.#names, addresses];
    for (const name of fewer) if (others.has(name)) this.#work.names.add(name);
  }

  /** Whether the agent holds, or has asked for, something that these changes of rules give another form. */
  isTouchedBy({ services }: SnapshotChange): boolean {
    return services.some(
      ({ key, isRuleChange, changed }) =>
        isRuleChange && changed.some(([typeUrl, name]) => this.#concerns(typeUrl, name, key)),
    );
  }

  #concerns(typeUrl: string, name: string, owner: string): boolean {
    if (typeUrl === typeUrls.name && this.#names.has(name)) return true;
    // Before its first batch it has what it came with.
    if (this.#phase !== 'live') return this.#holdings.versionsOf(typeUrl).has(name);
    return this.#holdings.isNeeded(typeUrl, name, owner);
  }

  /** The agent counts for this revision: it gets a mark for it, also if nothing that it holds differs. */
  owe(): void {
    this.#owesMark = true;
  }

  flush(): Effect[] {
    if (this.#phase === 'behind' && this.#applied <= this.#options.cache.revision) this.#phase = 'live';
    if (this.#phase !== 'live' || this.#underWay) return [];
    if (this.#frozenAt === this.#options.cache.revision) return [];
    this.#frozenAt = undefined;
    const released = this.#withheld.releaseIfChanged(this.#options.cache.revision !== this.#cutRevision);
    for (const name of released?.names ?? []) {
      this.#work.names.add(name);
      this.#work.answers.add(name);
    }
    for (const service of released?.services ?? []) this.#releaseService(service);
    if (released) {
      this.#holdings.unpinAll();
      this.#holdings.touchAll();
    }
    return this.#cut();
  }

  /** An agent is never hurried: it may be slow to swap, and nothing is sent meanwhile. */
  onOverdue(): Effect[] {
    return [];
  }

  close(): void {
    for (const name of this.#names) this.#options.interest.releaseName(name);
    this.#holdings.close();
  }

  #ask(name: string, initialVersions: Readonly<Record<string, string>>): void {
    this.#names.add(name);
    this.#work.names.add(name);
    // On connecting, the version that comes along is the question: is it still so?
    if (!Object.hasOwn(initialVersions, name)) this.#work.answers.add(name);
    this.#options.interest.holdName(name);
  }

  #forget(name: string): void {
    if (!this.#names.delete(name)) return;
    this.#work.names.add(name);
    this.#work.answers.delete(name);
    this.#withheld.forgetName(name);
    this.#options.interest.releaseName(name);
  }

  #releaseService(service: string): void {
    this.#work.services.add(service);
    for (const { name } of resourcesOf(this.#options.cache.service(service), typeUrls.name)) {
      if (this.#names.has(name)) this.#work.names.add(name);
    }
  }

  #cut(): Effect[] {
    const { cache } = this.#options;
    const work = this.#work;
    const isEmpty = work.names.size + work.services.size + work.answers.size === 0;
    if (isEmpty && !this.#owesMark) return [];
    this.#work = emptyWork();
    for (const service of work.services) this.#holdings.updateService(service, this.#withheld);
    for (const name of work.names) {
      this.#mayNamesDiffer =
        this.#holdings.updateName(name, this.#withheld, this.#names.has(name)) || this.#mayNamesDiffer;
    }
    const answers = new Set([...work.answers].filter((name) => !this.#withheld.isNameWithheld(name)));
    const difference = this.#holdings.takeDifference(this.#withheld, answers, this.#keepsUnknown());
    const revision = this.#withheld.isEmpty ? cache.revision : this.#applied;
    this.#cutRevision = cache.revision;
    if (difference.changed.size + difference.removed.size === 0 && !this.#owesMark) {
      this.#holdings.keep();
      return [{ is: 'applied', revision: this.#applied, sequence: cache.sequence, isRefusing: false }];
    }
    this.#owesMark = false;
    const mark = this.#mark(revision);
    this.#underWay = {
      nonce: mark.nonce,
      work,
      revision,
      sent: difference.changed,
      cut: { revision: cache.revision, sequence: cache.sequence },
    };
    const touched = this.#newestRevisionOf(work.names);
    return [
      ...this.#respond(difference).map((response): Effect => ({ is: 'send', response })),
      { is: 'send', response: mark, mark: { revision, touched } },
    ];
  }

  #newestRevisionOf(names: ReadonlySet<string>): number {
    let newest = 0;
    for (const name of names) {
      const snapshot = this.#holdings.snapshot(this.#withheld.ownerOfName(name) ?? '');
      newest = Math.max(newest, snapshot?.revision ?? 0);
    }
    return newest;
  }

  /** The agent came with a name, and refused what was to replace its routes: what these need is known to it alone. */
  #keepsUnknown(): boolean {
    const presented = this.#holdings.versionsOf(typeUrls.name);
    return this.#withheld.names().some((name) => presented.has(name));
  }

  #respond({ changed, removed }: Difference): Response[] {
    const responses: Response[] = [];
    for (const typeUrl of sendOrder) {
      const resources = changed.get(typeUrl);
      if (resources) responses.push(this.#response(typeUrl, { resources }));
    }
    for (const typeUrl of removeOrder) {
      const names = removed.get(typeUrl);
      if (names) responses.push(this.#response(typeUrl, { removed: names }));
    }
    return responses;
  }

  #mark(revision: number): Response {
    const sequence = ++this.#sequence;
    const meshId = this.#options.cache.meshId;
    return this.#response(typeUrls.mark, { resources: [encodeMark({ meshId, revision, sequence })] });
  }

  #response(typeUrl: string, parts: Partial<Pick<Response, 'resources' | 'removed'>>): Response {
    return { typeUrl, nonce: String(++this.#nonce), version: '', resources: [], removed: [], ...parts };
  }

  #onMark(request: Request): Effect[] {
    const batch = this.#underWay;
    if (this.#phase === 'gathering') return this.#begin();
    if (!batch || request.nonce !== batch.nonce) return [];
    this.#underWay = undefined;
    return request.error ? this.#onRefused(batch, request.error) : this.#onApplied(batch);
  }

  #begin(): Effect[] {
    this.#phase = this.#options.presented.revision > this.#options.cache.revision ? 'behind' : 'live';
    this.#owesMark = true;
    return this.flush();
  }

  #onApplied({ revision, cut }: Batch): Effect[] {
    this.#holdings.keep();
    this.#applied = revision;
    return [{ is: 'applied', revision, sequence: cut.sequence, isRefusing: false }, ...this.flush()];
  }

  #onRefused(batch: Batch, error: NonNullable<Request['error']>): Effect[] {
    this.#holdings.takeBack();
    this.#mayNamesDiffer = true;
    for (const name of batch.work.names) this.#work.names.add(name);
    for (const service of batch.work.services) this.#work.services.add(service);
    for (const name of batch.work.answers) this.#work.answers.add(name);
    if (!this.#withhold(batch, error.resources)) this.#frozenAt = batch.cut.revision;
    const { message, resources } = error;
    return [{ is: 'refused', revision: batch.cut.revision, message, resources }, ...this.flush()];
  }

  /** Withholds all that came with the refused resources; false when nothing could be found to withhold. */
  #withhold(batch: Batch, refused: NonNullable<Request['error']>['resources']): boolean {
    const sent = versionsIn(batch.sent);
    const standing = this.#withheld.refuse(refused, sent);
    // All of it has changed meanwhile: what comes next may be the repair.
    if (refused.length > 0 && standing.length === 0) return true;
    // Endpoints are no part of a revision: those that were refused stay as they were, nothing else does.
    const rules = standing.filter(({ typeUrl }) => typeUrl !== typeUrls.endpoint);
    const isOfEndpoints = standing.some(({ typeUrl, name }) => sent.has(resourceKey(typeUrl, name)));
    if (isOfEndpoints && rules.length === 0) return true;
    const { cache } = this.#options;
    const isRefused = (service: string) => {
      const snapshot = cache.service(service);
      return snapshot && rules.some(({ typeUrl, name }) => this.#holdings.needs(snapshot, typeUrl, name));
    };
    const newNames = [...batch.work.names].filter((name) => !this.#holdings.holdsName(name));
    const refusedNames = newNames.filter((name) => isRefused(cache.ownerOfName(name) ?? ''));
    const changed = [...this.#holdings.services()].filter((service) => this.#isNewTo(service, batch));
    const isByRevision = changed.some(isRefused) || refusedNames.length === 0;
    for (const name of isByRevision ? newNames : refusedNames) this.#withholdName(name);
    let found = isByRevision ? newNames.length > 0 : refusedNames.length > 0;
    for (const service of isByRevision ? changed : []) {
      const held = this.#holdings.snapshot(service);
      if (held) this.#withheld.withholdService(held);
      found = true;
    }
    this.#owesMark ||= found;
    return found;
  }

  /** A name that the agent came with is left to it with all that it has for it. */
  #withholdName(name: string): void {
    this.#withheld.withholdName(name);
    const owner = this.#options.cache.ownerOfName(name);
    if (owner !== undefined && this.#holdings.versionsOf(typeUrls.name).has(name)) this.#holdings.pin(owner);
  }

  /** Whether the batch brought the rules of a service that the agent holds to another state. */
  #isNewTo(service: string, { work }: Batch): boolean {
    const held = this.#holdings.snapshot(service);
    const next = this.#withheld.service(service);
    return work.services.has(service) && held !== undefined && (!next || !haveSameRules(held, next));
  }
}

function refused(message: string): Effect[] {
  return [{ is: 'close', code: INVALID_ARGUMENT, message }];
}

function emptyWork(): Work {
  return { names: new Set(), services: new Set(), answers: new Set() };
}

/** By resource key. */
function versionsIn(changed: Difference['changed']): Map<string, string> {
  const resources = [...changed.values()].flat();
  return new Map(resources.map(({ typeUrl, name, version }) => [resourceKey(typeUrl, name), version]));
}
