/** A question to all proxies, and what comes of it. */
import type { Place } from '../measure.ts';
import type { Peer } from '../peers/peer.ts';

export interface Scenario {
  readonly name: string;
  readonly what: string;
  readonly run: (peers: readonly Peer[], place: Place) => Promise<Outcome>;
}

export interface Outcome {
  /** A table: one row a peer. */
  readonly rows: readonly Readonly<Record<string, string>>[];
  /** By peer: how many times its CPU time ours is, in the same rounds. Not of those that failed. */
  readonly ratios: ReadonlyMap<string, number>;
}
