/** An answer that sends the caller elsewhere, in place of a backend. */
import { RedirectActionRedirectResponseCode as Code, type RedirectAction } from '../proto/types.ts';
import { assertVisible } from './head-text.ts';
import type { PathCondition } from './match.ts';
import { preparePathChange } from './path-change.ts';
import { UnusableError } from './refusal.ts';

export interface Redirect {
  /** 301, 302, 303, 307 or 308. */
  readonly status: number;
  /** An absolute URL for the Location header; the query of the request is kept. */
  location(request: RedirectedRequest): string;
}

export interface RedirectedRequest {
  /** "http" or "https". */
  readonly scheme: string;
  /** As in the Host header. */
  readonly host: string;
  /** Without the query. */
  readonly path: string;
  /** Without its "?"; '' when there is none. */
  readonly query: string;
}

const statuses: Readonly<Record<number, number>> = {
  [Code.MOVED_PERMANENTLY]: 301,
  [Code.FOUND]: 302,
  [Code.SEE_OTHER]: 303,
  [Code.TEMPORARY_REDIRECT]: 307,
  [Code.PERMANENT_REDIRECT]: 308,
};

/** Throws UnusableError, naming `where`. */
export function prepareRedirect(action: RedirectAction | null, condition: PathCondition, where: string): Redirect {
  const status = action === null ? undefined : statuses[action.responseCode];
  if (action === null || status === undefined) throw new UnusableError(where, 'has no status that this agent knows');
  const { pathRedirect, hostRedirect } = action;
  assertVisible(pathRedirect, where);
  assertVisible(hostRedirect, where);
  const change = pathRedirect === '' ? preparePathChange(action, condition, where) : () => pathRedirect;
  return {
    status,
    location({ scheme, host, path, query }) {
      // OPTIONS * asks about the server as a whole.
      const from = path.startsWith('/') ? path : '/';
      const to = change === undefined ? from : change(from);
      return `${scheme}://${hostRedirect || host}${to}${query === '' ? '' : `?${query}`}`;
    },
  };
}
