/**
 * What the REST API needs of the control plane. The interfaces live here, with their caller; `server/main.ts` hands
 * over what keeps them. All failures are MeshErrors, which `problem-response.ts` turns into answers.
 */
import type { LocatedResource } from '../model/document.ts';
import type { Problem } from '../model/problem.ts';
import type { Kind, Resource, ResourceId } from '../model/resource.ts';
import type { ResourceChange, RevisionRecord, StoredResource } from '../model/revision.ts';

/** One change of the rules, all or nothing. */
export interface RuleChange {
  /** Documents to create or update. */
  readonly put: readonly LocatedResource[];
  /** Documents to delete by name. */
  readonly remove: readonly ResourceId[];
  /** Delete also every document that carries all these labels and is not in `put`. */
  readonly prune?: Readonly<Record<string, string>>;
  readonly by: string;
  readonly message: string;
  /** The revision of the whole store that the author saw; another one now is REVISION_CONFLICT. */
  readonly ifRevision?: number;
  /** The revision of the one document that is changed; another one now is ETAG_CONFLICT. 0: it must not exist. */
  readonly ifResourceRevision?: number;
  readonly dryRun: boolean;
}

export interface RuleChanged {
  /** The new revision; the present one after a dry run; the last one of these resources when nothing changed. */
  readonly revision: number;
  readonly changes: readonly ResourceChange[];
  readonly warnings: readonly Problem[];
}

export interface RulesPort {
  readonly revision: number;
  change(change: RuleChange): Promise<RuleChanged>;
  /**
   * Back to how the rules stood at that revision; itself a new revision. Warns where an apply would refuse. An empty
   * message becomes "rollback to revision N".
   */
  rollback(revision: number, author: { readonly by: string; readonly message: string }): Promise<RuleChanged>;
  /** Sorted by namespace and name. */
  list(kind: Kind): readonly StoredResource[];
  get(id: ResourceId): StoredResource | undefined;
  revisionRecord(revision: number): Promise<RevisionRecord | undefined>;
  /** Newest first. */
  revisions(page: { readonly before?: number; readonly limit: number }): Promise<readonly RevisionRecord[]>;
  /** How the rules stood at that revision, sorted by key; at 0 there were none. Throws REVISION_NOT_FOUND. */
  resourcesAt(revision: number): Promise<readonly Resource[]>;
}

export type InstanceState = 'starting' | 'passing' | 'failing' | 'draining' | 'lost';

export interface InstanceInfo {
  readonly id: string;
  readonly service: string;
  readonly namespace: string;
  readonly address: string;
  /** Port name -> number; the name '' serves the service's only port. */
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly zone: string;
  readonly state: InstanceState;
  readonly source: 'agent' | 'rest';
  /** ISO 8601, UTC. */
  readonly lastSeen: string;
}

export interface InstanceRef {
  readonly namespace: string;
  readonly service: string;
  readonly id: string;
}

export interface InstanceRegistration extends InstanceRef {
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly zone: string;
  readonly ttlMs: number;
}

export interface ServiceInfo {
  readonly namespace: string;
  readonly name: string;
  /** Whether a Service document describes it. */
  readonly declared: boolean;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
  readonly aliases: readonly string[];
  /** What its names stand for in the DNS of agents. */
  readonly virtualIps: readonly string[];
  readonly instances: Readonly<Record<InstanceState, number>>;
  /** Revision of its document; 0 for an implicit service. */
  readonly revision: number;
}

export interface RegistryPort {
  services(): readonly ServiceInfo[];
  /** Throws SERVICE_NOT_FOUND for a service that nothing knows. */
  instances(namespace: string, service: string): readonly InstanceInfo[];
  /** Starts `passing`; lives for its TTL. Answers whether it is new. */
  register(registration: InstanceRegistration): Promise<{ readonly instance: InstanceInfo; readonly created: boolean }>;
  heartbeat(ref: InstanceRef): Promise<InstanceInfo>;
  drain(ref: InstanceRef): Promise<InstanceInfo>;
  deregister(ref: InstanceRef): Promise<void>;
}

/** `current`: applied all that concerns it. `pending`: not yet. `rejected`: refuses something. */
export type AgentState =
  | 'current'
  | 'accepted'
  | 'pending'
  | 'rejected'
  | 'disconnected'
  | 'foreign-store'
  | 'older-store';

export interface AgentInfo {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  /** 'agent', or the user agent of a foreign xDS client, whose ACK is the weaker "accepted". */
  readonly kind: string;
  readonly state: AgentState;
  readonly detail: string;
  readonly connected: boolean;
  readonly revision: { readonly sent: number; readonly applied: number };
  /** The newest revision that changes something it holds. */
  readonly touched: number;
  readonly nack: {
    readonly revision: number;
    readonly at: string;
    readonly message: string;
    readonly resources: readonly { readonly typeUrl: string; readonly name: string; readonly reason: string }[];
  } | null;
  readonly names: readonly string[];
  readonly version: string;
  readonly lastSeen: string;
}

export interface Rollout {
  readonly revision: number;
  /** `complete`: everybody has it or has been given up, and what it takes away is gone. */
  readonly phase: 'applying' | 'complete';
  /** Clusters that it takes away and that are served until it is complete. */
  readonly retired: number;
  /** How many agents the revision concerns. */
  readonly agents: number;
  readonly applied: number;
  readonly pending: readonly { readonly id: string; readonly reason: string }[];
  readonly rejected: readonly { readonly id: string; readonly reason: string }[];
  /** Agents whose lease ran out meanwhile: they no longer count. */
  readonly gone: readonly { readonly id: string; readonly reason: string }[];
}

export interface AgentsPort {
  agents(): readonly AgentInfo[];
  agent(namespace: string, id: string): AgentInfo | undefined;
  /** What it was sent, as proto3 JSON by type URL and name, with versions. */
  config(namespace: string, id: string): unknown;
  /** How far a revision has come, now. */
  rollout(revision: number): Rollout;
  /** Resolves when all that count have applied it, one refuses it, or the time is over; or the signal aborts. */
  waitFor(revision: number, timeoutMs: number, signal: AbortSignal): Promise<Rollout>;
}

/** What clients send, as they report it themselves: requests that ended, per second. */
export interface Load {
  readonly requestsPerSecond: number;
  /** Those of them that ended with an error. */
  readonly errorsPerSecond: number;
  /** Requests under way. */
  readonly inProgress: number;
}

export interface LocalityLoad extends Load {
  /** All three are '' for clients that do not count by locality. */
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface ClusterLoad extends Load {
  readonly cluster: string;
  /** As the name of the cluster says; all four are '' for one that is not of this mesh. */
  readonly service: string;
  readonly namespace: string;
  readonly port: string;
  readonly subset: string;
  /** How many clients have reported on it. */
  readonly clients: number;
  /** Requests that were sent to nobody: a circuit breaker, a fault of a rule. */
  readonly droppedPerSecond: number;
  readonly localities: readonly LocalityLoad[];
}

export interface LoadPort {
  /** By the last reports of all clients, or of those with this id. Sorted by cluster. */
  loads(filter: { readonly client?: string | undefined }): Promise<readonly ClusterLoad[]>;
}

export type MeshEvent =
  | { readonly is: 'revision'; readonly record: RevisionRecord }
  | { readonly is: 'rollout'; readonly rollout: Rollout }
  | { readonly is: 'instance'; readonly instance: InstanceInfo; readonly gone: boolean }
  | { readonly is: 'agent'; readonly agent: AgentInfo; readonly gone: boolean };

export interface EventsPort {
  subscribe(listener: (event: MeshEvent) => void): { close(): void };
}

export interface HealthPort {
  /** Ready to serve; the body of /readyz either way. */
  readiness(): { readonly ready: boolean; readonly body: Readonly<Record<string, unknown>> };
  /** Prometheus text exposition. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Something that a document asks for and the clients of one kind, of which some hold the service, cannot do. */
export interface ClientProblemInfo {
  readonly namespace: string;
  readonly service: string;
  readonly clients: 'agent' | 'envoy' | 'grpc';
  /** "Route default/reviews". */
  readonly document: string;
  readonly path: string;
  readonly message: string;
}

export interface ProblemsPort {
  /** In no order. */
  problems(): ClientProblemInfo[];
}

/** All that the API serves from. */
export interface ControlPlane {
  readonly rules: RulesPort;
  readonly registry: RegistryPort;
  readonly agents: AgentsPort;
  readonly loads: LoadPort;
  readonly problems: ProblemsPort;
  readonly events: EventsPort;
  readonly health: HealthPort;
  readonly defaultNamespace: string;
}
