/** The head of a request as it goes out, but for its end, which depends on who is asked. */
import { plainPolicy, type RoutePolicy } from '../../routing/route-policy.ts';
import type { ByteWriter } from '../http1/byte-writer.ts';
import { headerKind } from '../http1/header-kind.ts';
import {
  ofAgents,
  ofRequestConnection,
  passFields,
  passRequestLine,
  type Withheld,
  withheld,
} from '../http1/pass-head.ts';
import type { RequestHead } from '../http1/request-head.ts';
import { type ForwardedHeader, replacedKinds, writeForwarded } from './forwarded.ts';
import { startTrace } from './trace-context.ts';

export class RequestHeadWriter {
  readonly #forwarded: readonly ForwardedHeader[];
  readonly #withheld: Withheld;
  readonly #withheldWithHost: Withheld;

  /** `forwarded`: what is added of where the request came from. */
  constructor(forwarded: readonly ForwardedHeader[]) {
    // Whom a request between agents is meant for is for this agent alone to say.
    const kinds = [...ofRequestConnection, ...ofAgents, ...replacedKinds(forwarded)];
    this.#forwarded = forwarded;
    this.#withheld = withheld(...kinds);
    this.#withheldWithHost = withheld(...kinds, headerKind.host);
  }

  write(writer: ByteWriter, head: RequestHead, remoteAddress: string, policy: RoutePolicy): void {
    const rewrite = policy === plainPolicy ? undefined : policy.rewrite;
    passRequestLine(writer, head, rewrite?.changesPath ? rewrittenTarget(head, rewrite.path(head.path)) : undefined);
    const host = rewrite?.host ?? this.#newHost(head);
    if (host !== undefined) writer.header('host', host);
    passFields(writer, head, host === undefined ? this.#withheld : this.#withheldWithHost, policy.requestHeaders);
    if (isUpgrade(head)) {
      writer.header('connection', 'upgrade');
      writer.header('upgrade', head.fields.value(head.fields.indexOf(headerKind.upgrade)));
    }
    startTrace(writer, head.fields, policy.requestHeaders);
    if (this.#forwarded.length > 0) {
      writeForwarded(writer, head, { headers: this.#forwarded, remoteAddress });
    }
  }

  /** The target outranks the Host header (RFC 9112, 3.2.2), and 1.1 must have one. */
  #newHost(head: RequestHead): string | undefined {
    if (head.authorityEnd > head.authorityStart) return head.authority;
    return head.fields.has(headerKind.host) ? undefined : '';
  }
}

/**
 * Whether the client asks for another protocol on this connection. `h2c` is an offer that a server may leave alone, and the
 * HTTP client of Java makes it with every first request: it is served as HTTP/1.1.
 */
export function isUpgrade(head: RequestHead): boolean {
  if (!head.connection.upgrade || head.minorVersion === 0) return false;
  const upgrade = head.fields.indexOf(headerKind.upgrade);
  return upgrade !== -1 && !offersH2c.test(head.fields.value(upgrade));
}

/** Also among others: an upstream that took it would speak what nobody here reads. */
const offersH2c = /(^|[\s,])h2c($|[\s,])/i;

/** The query stays. */
function rewrittenTarget(head: RequestHead, path: string): string {
  const { query } = head;
  return query === '' ? path : `${path}?${query}`;
}
