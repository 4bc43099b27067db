/**
 * The session of a foreign client that need not be looked at while its stream is at rest: as long as it takes the steps that others like
 * it take, nothing is worked out or written down for it alone. Whatever else comes wakes it, and it goes on by itself, exactly as
 * if it had never rested.
 */
import { typeUrls } from '../../proto/type-urls.ts';
import type { SnapshotCache, SnapshotChange } from '../snapshot/snapshot-cache.ts';
import type { State } from './checkpoints.ts';
import type { ForeignSession, Standing } from './foreign-session.ts';
import type { Rest, Rests, Step } from './rest.ts';
import type { Effect, HeldResource, Request, Session } from './session.ts';

const nothing: readonly Effect[] = [];

export interface RestingSessionOptions<Member> {
  readonly session: ForeignSession<Member>;
  readonly cache: Pick<SnapshotCache, 'revision' | 'sequence'>;
  readonly rests: Rests;
}

export class RestingSession<Member = unknown> implements Session {
  readonly #session: ForeignSession<Member>;
  readonly #cache: RestingSessionOptions<Member>['cache'];
  readonly #rests: Rests;
  /** Undefined: awake, and the session knows all. */
  #rest: Rest | undefined;
  /** Of the time at rest. */
  #state: State = { revision: 0, sequence: 0 };
  #reported: State | undefined;
  #nonce = 0;
  /** A change that nothing was sent for yet. */
  #noted: SnapshotChange | undefined;
  /** The last step, with the nonce that it had here. */
  #last: { readonly step: Step; readonly nonce: string } | undefined;
  #isUnderWay = false;

  constructor({ session, cache, rests }: RestingSessionOptions<Member>) {
    this.#session = session;
    this.#cache = cache;
    this.#rests = rests;
  }

  onRequest(request: Request): readonly Effect[] {
    if (this.#rest !== undefined && this.#isUnderWay && this.#isTaken(request)) {
      this.#isUnderWay = false;
      return nothing;
    }
    return this.#awake().onRequest(request);
  }

  onChange(change: SnapshotChange): void {
    if (this.#rest === undefined || this.#noted !== undefined || this.#isUnderWay) this.#awake().onChange(change);
    else this.#noted = change;
  }

  flush(): readonly Effect[] {
    const rest = this.#rest;
    if (rest === undefined) return this.#flushAwake();
    const noted = this.#noted;
    if (noted === undefined) return this.#progress();
    const { step } = rest;
    if (step?.change === noted.sequence && step.state.sequence === this.#cache.sequence) return this.#take(step);
    const effects = this.#awake().flush();
    rest.step = stepOf(noted, effects, this.#session.standing) ?? rest.step;
    return effects;
  }

  onOverdue(): readonly Effect[] {
    return this.#awake().onOverdue();
  }

  isTouchedBy(change: SnapshotChange): boolean {
    if (this.#rest === undefined) return this.#session.isTouchedBy(change);
    return this.#rest.isTouchedBy(change, () => this.#session.isTouchedBy(change));
  }

  get hasMuchToSend(): boolean {
    return this.#rest === undefined && this.#session.hasMuchToSend;
  }

  get revision(): number {
    return this.#rest === undefined ? this.#session.revision : this.#state.revision;
  }

  get waitsFor(): string | undefined {
    if (this.#rest === undefined) return this.#session.waitsFor;
    return this.#isUnderWay ? this.#last?.nonce : undefined;
  }

  get holdsFor(): string | undefined {
    return this.#rest === undefined ? this.#session.holdsFor : undefined;
  }

  get isWildcard(): boolean {
    return this.#rest?.isWildcard ?? this.#session.isWildcard;
  }

  giveUpClusters(): void {
    this.#awake().giveUpClusters();
  }

  areClustersUnderWay(has: (cluster: string) => boolean): boolean {
    return this.#awake().areClustersUnderWay(has);
  }

  hasTaken(typeUrl: string, name: string): boolean {
    return this.#awake().hasTaken(typeUrl, name);
  }

  refuses(typeUrl: string, name: string): boolean {
    return this.#awake().refuses(typeUrl, name);
  }

  ownersOfRefused(): ReadonlySet<string> {
    return this.#awake().ownersOfRefused();
  }

  versions(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return this.#awake().versions();
  }

  resources(): Iterable<HeldResource> {
    return this.#awake().resources();
  }

  close(): void {
    this.#session.close();
  }

  /** Whether it says of the step that is under way that it has been taken, and nothing else. */
  #isTaken({ typeUrl, nonce, error, subscribe, unsubscribe }: Request): boolean {
    if (error !== undefined || nonce !== this.#last?.nonce || typeUrl !== this.#last.step.response.typeUrl)
      return false;
    return subscribe.length + unsubscribe.length === 0;
  }

  #take(step: Step): readonly Effect[] {
    this.#noted = undefined;
    this.#state = step.state;
    this.#isUnderWay = true;
    const nonce = String(++this.#nonce);
    this.#last = { step, nonce };
    if (this.#nonce === step.nonce) return step.effects;
    return [{ is: 'send', response: { ...step.response, nonce } }];
  }

  #progress(): readonly Effect[] {
    const { revision, sequence } = this.#cache;
    this.#state = { revision, sequence };
    if (this.#isUnderWay) return nothing;
    if (this.#reported?.revision === revision && this.#reported.sequence === sequence) return nothing;
    this.#reported = this.#state;
    return [{ is: 'applied', revision, sequence, isRefusing: false }];
  }

  #flushAwake(): readonly Effect[] {
    const effects = this.#session.flush();
    const { standing } = this.#session;
    if (standing === undefined || standing.underWay !== undefined) return effects;
    this.#rest = this.#rests.of(this.#session.view, this.#session.asked);
    this.#state = standing.state;
    this.#reported = standing.reported;
    this.#nonce = standing.nonce;
    this.#last = undefined;
    return effects;
  }

  #awake(): ForeignSession<Member> {
    if (this.#rest === undefined) return this.#session;
    const noted = this.#noted;
    this.#session.resume({
      state: this.#state,
      reported: this.#reported,
      nonce: this.#nonce,
      ...this.#lastSent,
    });
    this.#rest = undefined;
    this.#noted = undefined;
    this.#last = undefined;
    this.#isUnderWay = false;
    if (noted !== undefined) this.#session.onChange(noted);
    return this.#session;
  }

  get #lastSent(): Pick<Standing, 'underWay' | 'answered'> {
    if (this.#last === undefined) return { underWay: undefined };
    const { step, nonce } = this.#last;
    const { typeUrl } = step.response;
    if (this.#isUnderWay) return { underWay: { typeUrl, sent: { ...step.sent, nonce } } };
    return { underWay: undefined, answered: { typeUrl, nonce } };
  }
}

/** What the others can do likewise: one response with what is there, and nothing that comes with it. */
function stepOf(
  { sequence }: SnapshotChange,
  effects: readonly Effect[],
  standing: Standing | undefined,
): Step | undefined {
  const [first] = effects;
  if (effects.length !== 1 || first?.is !== 'send' || standing?.underWay === undefined) return undefined;
  // Something else waits for clusters, in each session by itself.
  if (first.response.typeUrl === typeUrls.cluster) return undefined;
  const { state, nonce, underWay } = standing;
  return { change: sequence, state, nonce, response: first.response, sent: underWay.sent, effects };
}
