/** What the DNS server has done, as plain numbers since its start; whoever shows them reads them. */

export interface DnsCounters {
  /** Messages of clients over UDP. */
  udpMessages: number;
  /** Messages of clients over TCP. */
  tcpMessages: number;
  /** Connections that are open now. */
  tcpConnections: number;
  /** Connections that were closed at once, as too many were open. */
  tcpRefused: number;
  /** Questions for names of the mesh that were answered here. */
  ownAnswers: number;
  /** Of them, those that said that there is no such name, or nothing of this type. */
  ownNegatives: number;
  /** Questions that were answered from the cache. */
  cacheHits: number;
  /** Questions that were put to resolvers; equal ones under way count once. */
  forwarded: number;
  /** Questions that joined an equal one under way. */
  joined: number;
  /** Questions that are under way now. */
  underWay: number;
  /** Times that a resolver did not answer in time, or was not there. */
  upstreamFailures: number;
  /** Times that a resolver was asked again over TCP. */
  upstreamOverTcp: number;
  /** Messages to a socket of ours that were no answer to its question. */
  strangers: number;
  /** Answers SERVFAIL of our own: no resolver answered, or the directory did not. */
  failures: number;
  /** Answers SERVFAIL because too many questions were under way. */
  overflows: number;
  /** Messages that were refused with FORMERR, NOTIMP, REFUSED or BADVERS. */
  refused: number;
  /** Messages that nothing was said to: too short, or responses. */
  dropped: number;
  /** Answers over UDP that were cut to what the client takes. */
  truncated: number;
}

export function createCounters(): DnsCounters {
  return {
    udpMessages: 0,
    tcpMessages: 0,
    tcpConnections: 0,
    tcpRefused: 0,
    ownAnswers: 0,
    ownNegatives: 0,
    cacheHits: 0,
    forwarded: 0,
    joined: 0,
    underWay: 0,
    upstreamFailures: 0,
    upstreamOverTcp: 0,
    strangers: 0,
    failures: 0,
    overflows: 0,
    refused: 0,
    dropped: 0,
    truncated: 0,
  };
}
