/**
 * The session of a foreign client that goes with its cohort: as long as it takes the steps that the others take, nothing is worked out or
 * written down for it alone. Whatever else comes sets it apart, and it goes on by itself, as if it had never been in one, until its client
 * has taken everything again.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { SnapshotCache, SnapshotChange } from '../snapshot/snapshot-cache.ts';
import type { State } from './checkpoints.ts';
import type { Cohort, Cohorts, SharedStep } from './cohort.ts';
import { FewEntries } from './few-entries.ts';
import type { ForeignSession, Standing } from './foreign-session.ts';
import type { Effect, HeldResource, Request, Session } from './session.ts';

const nothing: readonly Effect[] = [];

export interface CohortSessionOptions<Member> {
  readonly session: ForeignSession<Member>;
  readonly cache: Pick<SnapshotCache, 'revision' | 'sequence'>;
  readonly cohorts: Cohorts;
}

export class CohortSession<Member = unknown> implements Session {
  readonly #session: ForeignSession<Member>;
  readonly #cache: CohortSessionOptions<Member>['cache'];
  readonly #cohorts: Cohorts;
  /** Undefined: it is apart, and the session knows all. */
  #cohort: Cohort | undefined;
  /** All that follows is of the time in the cohort. */
  #state: State = { revision: 0, sequence: 0 };
  #reported: State | undefined;
  #nonce = 0;
  /** A change that nothing was sent for yet. */
  #noted: SnapshotChange | undefined;
  /** The step whose response is under way. */
  #underWay: SharedStep | undefined;
  /** Type URL -> nonce of the last response. */
  readonly #nonces = new FewEntries<string>();

  constructor({ session, cache, cohorts }: CohortSessionOptions<Member>) {
    this.#session = session;
    this.#cache = cache;
    this.#cohorts = cohorts;
  }

  onRequest(request: Request): readonly Effect[] {
    if (this.#isTaken(request)) {
      this.#underWay = undefined;
      return nothing;
    }
    return this.#apart().onRequest(request);
  }

  /** What the change is of is found out at once: later the view may have changed again. */
  onChange(change: SnapshotChange): void {
    if (this.#cohort?.isConcernedBy(change, () => this.#session.isConcernedBy(change)) === false) return;
    if (this.#cohort === undefined || this.#noted !== undefined || this.#underWay !== undefined) {
      this.#apart().onChange(change);
    } else {
      this.#noted = change;
    }
  }

  flush(): readonly Effect[] {
    const cohort = this.#cohort;
    if (cohort === undefined) return this.#flushApart();
    const noted = this.#noted;
    if (noted === undefined) return this.#progress();
    const { step } = cohort;
    if (step?.change === noted.sequence && step.sent.sequence === this.#cache.sequence) return this.#take(step);
    this.#setApart();
    const effects = this.#flushApart();
    cohort.step = stepOf(noted, effects, this.#session.standing);
    return effects;
  }

  onOverdue(): readonly Effect[] {
    return this.#apart().onOverdue();
  }

  isTouchedBy(change: SnapshotChange): boolean {
    if (this.#cohort === undefined) return this.#session.isTouchedBy(change);
    return this.#cohort.isTouchedBy(change, () => this.#session.isTouchedBy(change));
  }

  get hasMuchToSend(): boolean {
    return this.#cohort === undefined && this.#session.hasMuchToSend;
  }

  get revision(): number {
    return this.#cohort === undefined ? this.#session.revision : this.#state.revision;
  }

  get waitsFor(): string | undefined {
    if (this.#cohort === undefined) return this.#session.waitsFor;
    return this.#underWay && this.#nonces.get(this.#underWay.response.typeUrl);
  }

  get holdsFor(): string | undefined {
    return this.#cohort === undefined ? this.#session.holdsFor : undefined;
  }

  get holdsMs(): number {
    return this.#session.holdsMs;
  }

  /** None with other streams is in a cohort. */
  get awaitsStreams(): boolean {
    return this.#session.awaitsStreams;
  }

  giveUpStreams(): void {
    this.#session.giveUpStreams();
  }

  get isWildcard(): boolean {
    return this.#cohort?.isWildcard ?? this.#session.isWildcard;
  }

  get hasClusters(): boolean {
    return this.#session.hasClusters;
  }

  giveUpClusters(): void {
    this.#apart().giveUpClusters();
  }

  areClustersUnderWay(has: (cluster: string) => boolean): boolean {
    return this.#apart().areClustersUnderWay(has);
  }

  hasTaken(typeUrl: string, name: string): boolean {
    return this.#apart().hasTaken(typeUrl, name);
  }

  refuses(typeUrl: string, name: string): boolean {
    return this.#apart().refuses(typeUrl, name);
  }

  ownersOfRefused(): ReadonlySet<string> {
    return this.#apart().ownersOfRefused();
  }

  versions(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return this.#apart().versions();
  }

  resources(): Iterable<HeldResource> {
    return this.#apart().resources();
  }

  close(): void {
    this.#session.close();
  }

  /** Whether it says of the response that is under way that it has been taken, and nothing else. */
  #isTaken({ typeUrl, nonce, error, subscribe, unsubscribe, initialVersions }: Request): boolean {
    if (error !== undefined || typeUrl !== this.#underWay?.response.typeUrl) return false;
    if (nonce !== this.#nonces.get(typeUrl)) return false;
    return subscribe.length + unsubscribe.length + Object.keys(initialVersions).length === 0;
  }

  #take(step: SharedStep): readonly Effect[] {
    const nonce = String(++this.#nonce);
    this.#noted = undefined;
    this.#state = step.sent;
    this.#underWay = step;
    this.#nonces.set(step.response.typeUrl, nonce);
    if (nonce === step.response.nonce) return step.effects;
    return [{ is: 'send', response: { ...step.response, nonce } }];
  }

  #progress(): readonly Effect[] {
    const { revision, sequence } = this.#cache;
    this.#state = { revision, sequence };
    if (this.#underWay !== undefined) return nothing;
    if (this.#reported?.revision === revision && this.#reported.sequence === sequence) return nothing;
    this.#reported = this.#state;
    return [{ is: 'applied', revision, sequence, isRefusing: false }];
  }

  #flushApart(): readonly Effect[] {
    const effects = this.#session.flush();
    const { standing } = this.#session;
    if (standing === undefined || standing.underWay !== undefined) return effects;
    this.#cohort = this.#cohorts.of(this.#session.asked);
    this.#state = standing.state;
    this.#reported = standing.reported;
    this.#nonce = standing.nonce;
    return effects;
  }

  /** The session, when it knows all. */
  #apart(): ForeignSession<Member> {
    if (this.#cohort !== undefined) this.#setApart();
    return this.#session;
  }

  #setApart(): void {
    const noted = this.#noted;
    const nonces = [...this.#nonces.entries()];
    this.#session.resume({ ...this.#standing, nonces });
    this.#cohort = undefined;
    this.#noted = undefined;
    this.#underWay = undefined;
    this.#nonces.clear();
    if (noted !== undefined) this.#session.onChange(noted);
  }

  get #standing(): Standing {
    const standing = { state: this.#state, reported: this.#reported, nonce: this.#nonce };
    if (this.#underWay === undefined) return { ...standing, underWay: undefined };
    const { response, sent } = this.#underWay;
    const nonce = this.#nonces.get(response.typeUrl) ?? '';
    return { ...standing, underWay: { typeUrl: response.typeUrl, sent: { ...sent, nonce } } };
  }
}

/** What the others can do likewise: one response with what is there, and nothing that comes with it. */
function stepOf(
  { sequence }: SnapshotChange,
  effects: readonly Effect[],
  standing: Standing | undefined,
): SharedStep | undefined {
  const [first] = effects;
  if (effects.length !== 1 || first?.is !== 'send' || standing?.underWay === undefined) return undefined;
  // Something else waits for clusters, in each session by itself.
  if (first.response.typeUrl === typeUrls.cluster) return undefined;
  return { change: sequence, response: first.response, sent: standing.underWay.sent, effects };
}
