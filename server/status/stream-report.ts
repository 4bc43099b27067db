/** Writes down what comes of a stream, in the record of its agent. */
import type { StreamReport } from '../xds/ads-stream.ts';
import type { StreamIdentity } from '../xds/identity.ts';
import type { AgentDirectory } from './agent-directory.ts';
import { type AgentRecord, appliedByAll, type Nack, type StreamPart, sequenceOfAll } from './agent-record.ts';

export interface ReportedStream {
  readonly record: AgentRecord;
  readonly report: StreamReport;
}

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
export function createStreamReport(identity: StreamIdentity, context: ReportContext): ReportedStream {
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
  const part: StreamPart = { touched: 0, applied: 0, noted: 0, sequence: 0, isRefusing: false };
  if (!isOwn) record.parts.add(part);
  return { record, report: reportTo(record, part, context) };
}

function reportTo(
  record: AgentRecord,
  part: StreamPart,
  { directory, wallClock, onRefusal }: ReportContext,
): StreamReport {
  return {
    sent: (revision, touched) => {
      record.sent = Math.max(record.sent, revision);
      record.touched = Math.max(record.touched, touched);
    },
    touched: (revision) => {
      part.touched = revision;
    },
    noted: (sequence) => {
      part.noted = sequence;
    },
    applied: ({ revision: ofStream, sequence, isRefusing: isStreamRefusing }) => {
      part.applied = ofStream;
      part.sequence = sequence;
      part.isRefusing = isStreamRefusing;
      const isOneOfSeveral = record.parts.size > 1 && record.parts.has(part);
      const revision = isOneOfSeveral ? appliedByAll(record.parts) : ofStream;
      const isRefusing = isOneOfSeveral ? [...record.parts].some((each) => each.isRefusing) : isStreamRefusing;
      // What does not concern it is not sent: it has no less of the revision for that.
      record.sent = Math.max(record.sent, ofStream);
      record.appliedSequence = isOneOfSeveral ? sequenceOfAll(record.parts) : sequence;
      if (record.applied === revision && record.hasAnswered && !record.nack) {
        directory.used(record);
        return;
      }
      record.hasAnswered = true;
      record.applied = revision;
      if (record.nack && revision >= record.nack.revision && !isRefusing) record.nack = undefined;
      directory.changed(record);
    },
    refused: ({ revision, message, resources }) => {
      part.isRefusing = true;
      record.nack = { revision, atMs: wallClock(), message, resources };
      onRefusal(record, record.nack);
      directory.changed(record);
    },
    names: (names) => directory.setNames(record, names),
    waits: (condition) => {
      if (record.streamWaits === condition) return;
      record.streamWaits = condition;
      directory.changed(record);
    },
    closed: () => {
      record.parts.delete(part);
      directory.leave(record);
    },
  };
}

/** A foreign client cannot call itself an agent. */
function foreignKind(userAgent: string): string {
  return userAgent === '' || userAgent === 'agent' ? 'unknown' : userAgent;
}
