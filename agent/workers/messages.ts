/**
 * What the main process and its workers tell each other. All goes in order, connections included: who is handed one after a
 * change has seen the change. A message that is none is a fault of the program, and throws.
 */
import { z } from 'zod';
import { logLevels } from '../../process/log-levels.ts';
import type { WorkReport } from '../admin/agent-report.ts';
import type { AccessLogSettings } from '../agent-settings.ts';
import type { InstanceVerdict } from '../health-checks/verdicts.ts';
import type { ListenerSettings } from '../listeners.ts';
import { forwardedHeaders } from '../proxy/forwarded.ts';
import type { Resolution } from '../view/mesh-directory.ts';
import { meshDelta } from './mesh-delta.ts';
import { isTally } from './tally.ts';

const hostPort = z.object({ host: z.string(), port: z.number() });

/** JSON leaves it out. */
const undefinedInJson = <Value>(value: z.ZodType<Value>) => value.optional().transform((given) => given);

const listenerSettings = z.object({
  service: z.string(),
  namespace: z.string(),
  id: z.string(),
  outbound: hostPort,
  upstreams: z.array(z.object({ host: z.string(), port: undefinedInJson(z.number()), listen: hostPort })).readonly(),
  appPorts: z.array(z.object({ name: z.string(), app: hostPort, inbound: hostPort })).readonly(),
  forwardedHeaders: z.array(z.enum(forwardedHeaders)).readonly(),
  interception: undefinedInJson(
    z.object({ backend: z.enum(['iptables', 'nftables', 'external']), vipRange: z.string() }),
  ),
}) satisfies z.ZodType<ListenerSettings>;

const accessLogSettings = z.object({
  path: z.string(),
  samplePercent: z.number(),
  slowMs: undefinedInJson(z.number()),
}) satisfies z.ZodType<AccessLogSettings>;

const verdict = z.object({
  cluster: z.string(),
  instance: z.string(),
  address: z.string(),
  port: z.number(),
  is: z.enum(['unchecked', 'passing', 'failing']),
}) satisfies z.ZodType<InstanceVerdict>;

const resolution = z.enum(['known', 'absent', 'unusable', 'unavailable']) satisfies z.ZodType<Resolution>;

const toWorker = z.discriminatedUnion('is', [
  /** The first. Answered by `serving`. */
  z.object({
    is: z.literal('start'),
    /** From 1 on, and how many there are. */
    worker: z.number(),
    workers: z.number(),
    zone: z.string(),
    /** No port is 0: the main process has opened them. */
    settings: listenerSettings,
    accessLog: undefinedInJson(accessLogSettings),
    logLevel: z.enum(logLevels),
    /** All that is held. */
    mesh: meshDelta,
    verdicts: z.array(verdict),
    obstacle: z.string(),
  }),
  /** Answered by `using`. */
  z.object({ is: z.literal('use'), change: z.number(), mesh: meshDelta }),
  /** Came to this port, as the settings have it. A handle comes along. Answered by `accepted`. */
  z.object({ is: z.literal('connection'), port: hostPort }),
  z.object({ is: z.literal('resolved'), name: z.string(), resolution }),
  /** Why names cannot be asked for now; '' when nothing stands in the way. */
  z.object({ is: z.literal('obstacle'), sentence: z.string() }),
  /** Those that have changed. */
  z.object({ is: z.literal('verdicts'), verdicts: z.array(verdict) }),
  /** Its file was moved away. */
  z.object({ is: z.literal('reopen-access-log') }),
  /** Answered by `report`. */
  z.object({ is: z.literal('report') }),
  /** Answered by `inbound-closed`, when what is under way has ended. */
  z.object({ is: z.literal('close-inbound') }),
  /** Answered by the worker's end, when what is under way has ended. */
  z.object({ is: z.literal('close') }),
  /** Answered by `cut-off`, and by the worker's end, at once. */
  z.object({ is: z.literal('cut-off') }),
]);

const fromWorker = z.discriminatedUnion('is', [
  /** The first: it waits for `start`. A program that was replaced on the disk meanwhile is another one. */
  z.object({ is: z.literal('loaded'), version: z.string() }),
  z.object({ is: z.literal('serving') }),
  z.object({ is: z.literal('using'), change: z.number() }),
  /** How many connections it has now, with this one. Nothing of it has been read yet. */
  z.object({ is: z.literal('accepted'), connections: z.number() }),
  /** How many it has now. Said when some have ended; not at once, but soon. */
  z.object({ is: z.literal('connections'), connections: z.number() }),
  /** A name that is not in the view is asked for. Answered by `resolved`. */
  z.object({ is: z.literal('resolve'), name: z.string() }),
  /** Names that were looked up since the last time. */
  z.object({ is: z.literal('used'), names: z.array(z.string()) }),
  z.object({
    is: z.literal('report'),
    // Of the same version, as its first message has shown: what this program makes it can read.
    traffic: z.custom<WorkReport['traffic']>(isTally),
    clusters: z.custom<WorkReport['clusters']>(Array.isArray),
    accessLog: z.object({ written: z.number(), dropped: z.number() }),
    connections: z.number(),
    memory: z.object({ rss: z.number(), heapUsed: z.number() }),
  }),
  z.object({ is: z.literal('app-unreachable') }),
  z.object({ is: z.literal('inbound-closed') }),
  /** Requests that were under way. */
  z.object({ is: z.literal('cut-off'), requests: z.number() }),
]);

export type ToWorker = z.output<typeof toWorker>;
export type FromWorker = z.output<typeof fromWorker>;
export type Told<Kind extends FromWorker['is']> = Extract<FromWorker, { readonly is: Kind }>;
export type Start = Extract<ToWorker, { readonly is: 'start' }>;

export function parseToWorker(message: unknown): ToWorker {
  return toWorker.parse(message);
}

export function parseFromWorker(message: unknown): FromWorker {
  return fromWorker.parse(message);
}
