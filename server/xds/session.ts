/**
 * What every kind of stream session has in common: requests and changes go in, effects come out. A session holds no
 * socket, no timer and no clock; `ads-service.ts` performs the effects.
 */
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { SnapshotChange } from '../snapshot/snapshot-cache.ts';

/** State of the world, or delta. */
export type Protocol = 'sotw' | 'delta';

/** A resource that a client could not use, and why. */
export interface RefusedResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly reason: string;
}

/** One response. For state of the world `removed` is empty and `version` is that of the whole type. */
export interface Response {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly version: string;
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
}

/**
 * - `changed-node`: it calls itself something else than in its first message, which counts;
 * - `unknown-nonce`: it answers a response that it was not sent, or in delta has answered before;
 * - `unknown-type`: it asks for a type that this server does not have, and is never answered;
 * - `no-answer`: it does not answer in about 6 s, and is no longer waited for.
 */
export type Oddity = 'changed-node' | 'unknown-nonce' | 'unknown-type' | 'no-answer';

export type Effect =
  | {
      readonly is: 'send';
      readonly response: Response;
      /** Of the mark of a batch: what it says, and the newest revision that changed something it brings for a name. */
      readonly mark?: { readonly revision: number; readonly touched: number };
    }
  /** The client uses everything up to here. `sequence` is that of the snapshot cache. */
  | {
      readonly is: 'applied';
      readonly revision: number;
      readonly sequence: number;
      /** But for what it refused of earlier revisions and goes on without. */
      readonly isRefusing: boolean;
    }
  /** The client refuses something of this revision and goes on with what it has. */
  | {
      readonly is: 'refused';
      readonly revision: number;
      readonly message: string;
      readonly resources: readonly RefusedResource[];
    }
  /** The client did something that no good client does, and that costs nobody else anything. */
  | { readonly is: 'odd'; readonly what: Oddity }
  /** The stream cannot go on; `code` is a gRPC status. */
  | { readonly is: 'close'; readonly code: number; readonly message: string };

/** A verdict or a change of subscription, of either protocol. Absent lists are empty. */
export interface Request {
  readonly typeUrl: string;
  /** Names to subscribe to (delta), or all that are wanted (state of the world). */
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: Readonly<Record<string, string>>;
  /** State of the world: of what the client took last, maybe on an earlier stream; '' for nothing, and always in delta. */
  readonly version: string;
  readonly nonce: string;
  /** Present on a NACK. */
  readonly error: { readonly message: string; readonly resources: readonly RefusedResource[] } | undefined;
}

/** Told what a stream depends on, so that changes find it. All calls are idempotent. */
export interface Interest {
  /** From now on, or no longer, changes of this service concern the stream. */
  holdService(key: string): void;
  releaseService(key: string): void;
  /** From now on, or no longer, it matters what this name stands for. */
  holdName(name: string): void;
  releaseName(name: string): void;
}

/** What a client has of one resource, as far as its answers say. */
export interface HeldResource {
  readonly typeUrl: string;
  readonly name: string;
  /** Of what it was sent last, or holds; '' when there is nothing. */
  readonly version: string;
  /** - `requested`: nothing was sent yet, or there is none; `sent`: not answered yet; `nacked`: see `refused`. */
  readonly state: 'requested' | 'sent' | 'acked' | 'nacked';
  /** What it could not use, and why; undefined unless `nacked`. */
  readonly refused: { readonly version: string; readonly message: string } | undefined;
  /** What it was sent, where that is still known. */
  readonly resource: EncodedResource | undefined;
}

export interface Session {
  onRequest(request: Request): readonly Effect[];
  /** Only notes what has changed; `flush` sends it. */
  onChange(change: SnapshotChange): void;
  /** What can be sent now, from the newest state. */
  flush(): readonly Effect[];
  /** An answer is overdue: go on without it where that is safe. */
  onOverdue(): readonly Effect[];
  /** All that the client asked for or has, for people to look at. */
  resources(): Iterable<HeldResource>;
}
