/** One registered workload, as the registry keeps it and as its lease stores it. */

/**
 * `starting`: its application has not answered yet. `passing`: takes requests. `failing`: its application does not
 * answer. `draining`: takes no new requests. `lost`: nobody vouches for it any more; routed last, then removed.
 */
export type InstanceState = 'starting' | 'passing' | 'failing' | 'draining' | 'lost';

export interface InstanceRef {
  readonly namespace: string;
  readonly service: string;
  readonly id: string;
}

/** Where connections are taken. */
export interface InstancePlace {
  /** An IP address. */
  readonly address: string;
  /** Port name -> number; the name '' serves the service's only port, whatever its name. */
  readonly ports: Readonly<Record<string, number>>;
}

/** What a registration says, and what a lease stores. */
export interface InstanceRecord extends InstanceRef {
  /** An IP address. */
  readonly address: string;
  /** Port name -> number; the name '' serves the service's only port, whatever its name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Where its application is without its agent; absent when nobody has said. */
  readonly application?: InstancePlace;
  /** Packet rules bring to its agent what is dialled at the application. */
  readonly intercepts?: true;
  readonly labels: Readonly<Record<string, string>>;
  /** Relative share of the load, at least 1. */
  readonly weight: number;
  readonly zone: string;
  readonly source: 'agent' | 'rest';
  /** How long one sign of life counts; for an agent's instance the grace after its stream is lost. */
  readonly ttlMs: number;
  readonly state: InstanceState;
}

/** `instance/default/reviews/reviews-1`: also the key of the lease. */
export function instanceKey({ namespace, service, id }: InstanceRef): string {
  return `instance/${namespace}/${service}/${id}`;
}
