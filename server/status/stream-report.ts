/** Writes down what comes of a stream, in the record of its agent. */
import type { StreamReport } from '../xds/ads-stream.ts';
import type { StreamIdentity } from '../xds/identity.ts';
import type { Effect } from '../xds/session.ts';
import type { AgentDirectory } from './agent-directory.ts';
import {
  type AgentRecord,
  appliedByAll,
  type Condition,
  type Nack,
  type StreamPart,
  sequenceOfAll,
} from './agent-record.ts';

export interface ReportContext {
  readonly directory: AgentDirectory;
  readonly meshId: string;
  /** The newest one that this server has. */
  readonly revision: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly onRefusal: (agent: AgentRecord, nack: Nack) => void;
}

/** An agent's stream continues the record that its registration opened; a foreign client has one while it is connected. */
export class RecordedStream implements StreamReport, StreamPart {
  readonly record: AgentRecord;
  touched = 0;
  applied = 0;
  noted = 0;
  sequence = 0;
  isRefusing = false;
  readonly #context: ReportContext;

  private constructor(record: AgentRecord, context: ReportContext) {
    this.record = record;
    this.#context = context;
  }

  /** A stream has come: its client is connected now. */
  static open(identity: StreamIdentity, context: ReportContext): RecordedStream {
    const { id, namespace, service, userAgent, version, presented } = identity;
    const isOwn = identity.kind === 'agent';
    const record = context.directory.join({ id, namespace, service, kind: isOwn ? 'agent' : foreignKind(userAgent) });
    record.version ||= version;
    if (isOwn) {
      // What it presents is what it uses, whatever its earlier self did. What this server never had it cannot judge.
      const isKnown = presented.meshId === context.meshId && presented.revision <= context.revision();
      record.applied = isKnown ? presented.revision : 0;
      record.appliedSequence = 0;
      record.hasAnswered = false;
    }
    context.directory.changed(record);
    const stream = new RecordedStream(record, context);
    if (!isOwn) record.parts.add(stream);
    return stream;
  }

  onSent(revision: number, touched: number): void {
    const { record } = this;
    record.sent = Math.max(record.sent, revision);
    record.touched = Math.max(record.touched, touched);
  }

  onTouched(revision: number): void {
    this.touched = revision;
  }

  onNoted(sequence: number): void {
    this.noted = sequence;
  }

  onApplied({ revision: ofStream, sequence, isRefusing }: Extract<Effect, { is: 'applied' }>): void {
    const { record } = this;
    const { directory } = this.#context;
    this.applied = ofStream;
    this.sequence = sequence;
    this.isRefusing = isRefusing;
    const isOneOfSeveral = record.parts.size > 1 && record.parts.has(this);
    const revision = isOneOfSeveral ? appliedByAll(record.parts) : ofStream;
    // What does not concern it is not sent: it has no less of the revision for that.
    record.sent = Math.max(record.sent, ofStream);
    record.appliedSequence = isOneOfSeveral ? sequenceOfAll(record.parts) : sequence;
    if (record.applied === revision && record.hasAnswered && !record.nack) {
      directory.used(record);
      return;
    }
    record.hasAnswered = true;
    record.applied = revision;
    if (record.nack && revision >= record.nack.revision && !this.#isClientRefusing()) record.nack = undefined;
    directory.changed(record);
  }

  onRefused({ revision, message, resources }: Extract<Effect, { is: 'refused' }>): void {
    const { record } = this;
    const { directory, wallClock, onRefusal } = this.#context;
    this.isRefusing = true;
    record.nack = { revision, atMs: wallClock(), message, resources };
    onRefusal(record, record.nack);
    directory.changed(record);
  }

  onNames(names: readonly string[]): void {
    this.#context.directory.setNames(this.record, names);
  }

  onWaits(condition: Condition): void {
    if (this.record.streamWaits === condition) return;
    this.record.streamWaits = condition;
    this.#context.directory.changed(this.record);
  }

  onClosed(): void {
    this.record.parts.delete(this);
    this.#context.directory.leave(this.record);
  }

  /** On this stream or another. */
  #isClientRefusing(): boolean {
    return this.isRefusing || [...this.record.parts].some((each) => each.isRefusing);
  }
}

/** A foreign client cannot call itself an agent. */
function foreignKind(userAgent: string): string {
  return userAgent === '' || userAgent === 'agent' ? 'unknown' : userAgent;
}
