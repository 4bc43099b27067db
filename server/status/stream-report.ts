/** Writes down what comes of a stream, in the record of its agent. */
import { ownUserAgent, type StreamIdentity } from '../xds/ads-service.ts';
import type { StreamReport } from '../xds/ads-stream.ts';
import type { AgentDirectory } from './agent-directory.ts';
import { type AgentRecord, createAgentRecord, type Nack } from './agent-record.ts';

export interface ReportedStream {
  readonly record: AgentRecord;
  readonly report: StreamReport;
}

export interface ReportContext {
  readonly directory: AgentDirectory;
  readonly meshId: string;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly onRefusal: (agent: AgentRecord, nack: Nack) => void;
}

/** An agent's stream continues the record that its registration opened; a foreign client has one while it is connected. */
export function createStreamReport(identity: StreamIdentity, context: ReportContext): ReportedStream {
  const { directory, meshId, clock } = context;
  const isOwn = identity.userAgent === ownUserAgent;
  const known = isOwn ? directory.get(identity.namespace, identity.id) : undefined;
  const { id, namespace, service, presented } = identity;
  const kind = isOwn ? 'agent' : identity.userAgent || 'unknown';
  const record = known ?? createAgentRecord({ id, namespace, service, kind }, clock());
  record.version ||= identity.version;
  record.streams++;
  if (presented.meshId === meshId) record.applied = Math.max(record.applied, presented.revision);
  if (known) directory.changed(record);
  else directory.addForeign(record);
  return { record, report: reportTo(record, known !== undefined, context) };
}

function reportTo(
  record: AgentRecord,
  hasLease: boolean,
  { directory, wallClock, onRefusal }: ReportContext,
): StreamReport {
  return {
    sent: (revision) => {
      record.sent = Math.max(record.sent, revision);
    },
    applied: (revision, sequence) => {
      record.applied = revision;
      record.appliedSequence = sequence;
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
    closed: () => {
      record.streams--;
      if (hasLease) directory.changed(record);
      else directory.removeForeign(record);
    },
  };
}
