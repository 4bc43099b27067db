/** How much of everything there may be at a time. docs/dns.md lists them. */

export const bounds = {
  /** Connections of clients, per address. */
  connections: 128,
  /** After which a connection without a whole question or an answer is closed. */
  idleMs: 10_000,
  /** Questions of one connection that are not answered yet; it is not read meanwhile. */
  underWayPerConnection: 64,
  /** Answers that a client does not take; its questions are not read meanwhile, and if that goes on it is idle. */
  unsentBytes: 256 * 1024,
  /** Different questions that are put to resolvers: each has a socket or two. */
  underWay: 256,
  /** Clients that wait for one and the same question. */
  waitingForOne: 1_024,
  /** Questions that the directory thinks about. */
  lookups: 1_024,
  /**
   * How long it may. libc gives up after 5 s; the directory may have to ask the control plane, and after it the resolvers take
   * their time.
   */
  lookupMs: 2_000,
} as const;
