/** What an Envoy says of itself, with defaults filled in. Equal nodes are served alike. */
import type { OwnStreams } from '../compile/envoy/config-source.ts';
import type { SocketName } from '../compile/envoy/listeners.ts';

export interface EnvoyNode {
  readonly namespace: string;
  /** Of the application beside it; '' when it did not say. */
  readonly service: string;
  readonly zone: string;
  /** Undefined: one aggregated stream. */
  readonly streams: OwnStreams | undefined;
  readonly outbound: SocketName;
  readonly inbound: { readonly at: SocketName; readonly app: SocketName } | undefined;
  readonly upstreams: readonly EnvoyUpstream[];
  /** Keys of the services that it may address; undefined: all of its namespace. */
  readonly services: readonly string[] | undefined;
}

export interface EnvoyUpstream {
  /** "reviews.default". */
  readonly service: string;
  /** The service's first unless given. */
  readonly port: number | undefined;
  readonly at: SocketName;
}
