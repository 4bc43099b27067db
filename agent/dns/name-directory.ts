/** What the DNS server asks of the mesh, and what it needs to know of a name. Who answers is the agent's business. */

/**
 * What a name of the mesh stands for. A value that never changes: answers are kept as bytes by the identity of this object,
 * so a name about which something changed gets another object, and one about which nothing did keeps its own.
 */
export type NameAnswer = VirtualName | InstanceName;

/** A service by its virtual IPs. */
export interface VirtualName {
  readonly is: 'virtual';
  /** Its full name, `reviews.default.mesh.local`: where SRV and PTR lead. */
  readonly name: string;
  /** IPv4 and IPv6. */
  readonly addresses: readonly string[];
  readonly ports: readonly NamedPort[];
}

/** A service in hop mode `direct`, by the addresses of its instances; or one instance, asked for by its own name. */
export interface InstanceName {
  readonly is: 'instances';
  readonly name: string;
  /** Those that take traffic; none is an answer too: the name is there, and has no address. */
  readonly instances: readonly NamedInstance[];
}

export interface NamedInstance {
  /** Its full name, `reviews-1.reviews.default.mesh.local`. */
  readonly name: string;
  readonly address: string;
  /** Where it listens. */
  readonly ports: readonly NamedPort[];
}

/** A port by its name: `_http._tcp.reviews.default.mesh.local` is `http`. */
export interface NamedPort {
  readonly name: string;
  readonly port: number;
}

export interface NameDirectory {
  /**
   * `name` is in lower case without a "." at its end: `reviews.default` (also for `reviews`, by the agent's own namespace),
   * `reviews.default.mesh.local`, or whatever else has a dot and may be an alias. With `instance` it asks for that instance of
   * `reviews.default.mesh.local`. Asked for every question, so what is known is answered at once; a promise
   * that takes too long, or is rejected, counts as not known for names outside of the mesh domain.
   */
  find(name: string, instance: string | undefined): NameAnswer | 'unknown' | Promise<NameAnswer | 'unknown'>;
  /**
   * The full name of the service that has this virtual IP. `unknown`: of the range of virtual IPs, but nobody's, so that
   * the question stays here; `foreign`: any other address. IPv6 addresses are asked for in full, eight groups in lower case
   * without leading zeros.
   */
  nameOf(address: string): string | 'unknown' | 'foreign';
}
