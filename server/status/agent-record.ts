/** What is known of one agent, or of one foreign client while its stream lasts. Only readers use it: it steers nothing. */
import type { RefusedResource } from '../xds/session.ts';

export interface Nack {
  readonly revision: number;
  readonly atMs: number;
  readonly message: string;
  readonly resources: readonly RefusedResource[];
}

/** A word for programs, and a sentence for people. */
export interface Condition {
  readonly name: string;
  readonly detail: string;
}

export const noCondition: Condition = { name: '', detail: '' };

export interface AgentRecord {
  /** `namespace/id`; for a foreign client with its kind before it, so that it can never stand for an agent. */
  readonly key: string;
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  /** 'agent', or the user agent of a foreign client. */
  readonly kind: string;
  version: string;
  /**
   * Of a foreign client: how far each of its streams is. With services of one type each it has several, and uses a revision
   * when all that are concerned do.
   */
  readonly parts: Set<StreamPart>;
  /** Its configuration streams: one, or for a moment two when it has come back before its old one was found dead. */
  streams: number;
  /** The newest revision that changes something it holds. */
  touched: number;
  /** The newest revision that it was sent all of; of a foreign client, the newest of which it was sent what concerns it. */
  sent: number;
  /** The newest revision that it uses. */
  applied: number;
  /** The state of the snapshot cache that it uses. */
  appliedSequence: number;
  /** Its last refusal, until it applies that revision or a later one. */
  nack: Nack | undefined;
  /** Whether it has acknowledged anything on its present stream: before that nobody knows what it uses. */
  hasAnswered: boolean;
  /** What it says of itself: 'stale', 'foreign-store', 'older-store' or ''. */
  reported: Condition;
  /** What its stream waits for: 'foreign-store', 'older-store' or ''. */
  streamWaits: Condition;
  /** The names it asks for that stand for something; stored with its lease. */
  names: readonly string[];
  /**
   * The names it asked for when it registered: it counts by them also while it takes no configuration from this server,
   * because it keeps another mesh's.
   */
  asked: readonly string[];
  lastSeenMs: number;
}

/** One of several streams of a client. */
export interface StreamPart {
  /** The newest revision that changes something it has. */
  touched: number;
  applied: number;
  /** The newest state of the snapshot cache that concerns it. */
  noted: number;
  /** The state that it uses. */
  sequence: number;
  /** It goes on without something that it was sent. */
  isRefusing: boolean;
}

/** The state of the cache that a client with these streams uses, in so far as it concerns them. */
export function sequenceOfAll(parts: Iterable<StreamPart>): number {
  const all = [...parts];
  const behind = all.filter(({ sequence, noted }) => sequence < noted).map(({ sequence }) => sequence);
  return behind.length > 0 ? Math.min(...behind) : Math.max(0, ...all.map(({ sequence }) => sequence));
}

/** The revision that a client with these streams uses: as far as the last of those that are concerned. */
export function appliedByAll(parts: Iterable<StreamPart>): number {
  const all = [...parts];
  const behind = all.filter(({ applied, touched }) => applied < touched);
  const counted = (behind.length > 0 ? behind : all).map(({ applied }) => applied);
  return behind.length > 0 ? Math.min(...counted) : Math.max(0, ...counted);
}

export type AgentState =
  | 'current'
  | 'accepted'
  | 'pending'
  | 'rejected'
  | 'disconnected'
  | 'foreign-store'
  | 'older-store';

export function agentKey(namespace: string, id: string): string {
  return `${namespace}/${id}`;
}

/** Spelt out: a record that is spread from another is a dictionary to V8, and thousands of them are read at each change. */
export function createAgentRecord(
  { id, namespace, service, kind }: Pick<AgentRecord, 'id' | 'namespace' | 'service' | 'kind'>,
  nowMs: number,
): AgentRecord {
  return {
    key: (kind === 'agent' ? '' : `${kind}:`) + agentKey(namespace, id),
    id,
    namespace,
    service,
    kind,
    version: '',
    parts: new Set(),
    streams: 0,
    touched: 0,
    sent: 0,
    applied: 0,
    appliedSequence: 0,
    nack: undefined,
    hasAnswered: false,
    reported: noCondition,
    streamWaits: noCondition,
    names: [],
    asked: [],
    lastSeenMs: nowMs,
  };
}

export function isCurrent({ hasAnswered, applied, touched }: AgentRecord): boolean {
  return hasAnswered && applied >= touched;
}

/** What keeps it from being current, if it is known: the server's own knowledge before the agent's word. */
export function conditionOf({ streamWaits, reported }: AgentRecord): Condition {
  return streamWaits.name === '' ? reported : streamWaits;
}

export function isConnected({ streams }: AgentRecord): boolean {
  return streams > 0;
}

/** In one word. */
export function agentState(agent: AgentRecord): AgentState {
  const { nack } = agent;
  const { name } = conditionOf(agent);
  if (name === 'foreign-store' || name === 'older-store') return name;
  if (!isConnected(agent)) return 'disconnected';
  if (nack) return 'rejected';
  if (!isCurrent(agent)) return 'pending';
  // By its ACKs alone: it may not use yet what it has taken.
  return agent.kind === 'agent' ? 'current' : 'accepted';
}
