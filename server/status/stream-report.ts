/** Writes down what comes of a stream, in the record of its agent. */
import { ownUserAgent, type StreamIdentity } from '../xds/ads-service.ts';
import type { StreamReport } from '../xds/ads-stream.ts';
import type { AgentDirectory } from './agent-directory.ts';
import type { AgentRecord, Nack } from './agent-record.ts';

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
  const isOwn = userAgent === ownUserAgent;
  const record = context.directory.join({ id, namespace, service, kind: isOwn ? 'agent' : userAgent || 'unknown' });
  record.version ||= version;
  if (isOwn) {
    // What it presents is what it uses, whatever its earlier self did. What this server never had it cannot judge.
    const isKnown = presented.meshId === context.meshId && presented.revision <= context.revision();
    record.applied = isKnown ? presented.revision : 0;
    record.appliedSequence = 0;
  }
  context.directory.changed(record);
  return { record, report: reportTo(record, context) };
}

function reportTo(record: AgentRecord, { directory, wallClock, onRefusal }: ReportContext): StreamReport {
  return {
    sent: (revision) => {
      record.sent = Math.max(record.sent, revision);
    },
    applied: (revision, sequence) => {
      record.appliedSequence = sequence;
      if (record.applied === revision && !record.nack) {
        directory.used(record);
        return;
      }
      record.applied = revision;
      if (record.nack && revision >= record.nack.revision) record.nack = undefined;
      directory.changed(record);
    },
    refused: ({ revision, message, resources }) => {
      record.nack = { revision, atMs: wallClock(), message, resources };
      onRefusal(record, record.nack);
      directory.changed(record);
    },
    names: (names) => directory.setNames(record, names),
    condition: (condition, detail) => {
      if (record.condition === condition && record.detail === detail) return;
      record.condition = condition;
      record.detail = detail;
      directory.changed(record);
    },
    closed: () => directory.leave(record),
  };
}
