/** What routing knows of a request. Nothing here knows how the request is carried. */

export interface RouteRequest {
  readonly method: string;
  /** As on the wire, without the query string: nothing is decoded or normalised. */
  readonly path: string;
  /** What stands behind the first "?"; '' when there is none. */
  readonly query: string;
  /** The value of a header, by its name in lower case; the values of a repeated header, joined by ",". */
  header(name: string): string | undefined;
}

/** The first value of a query parameter, percent-decoded; '' when it stands there without a value. Builds no map. */
export function queryParameter(query: string, name: string): string | undefined {
  for (let start = 0; start < query.length; ) {
    const ampersand = query.indexOf('&', start);
    const end = ampersand === -1 ? query.length : ampersand;
    const equals = query.indexOf('=', start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (percentDecoded(query.slice(start, nameEnd)) === name) return percentDecoded(query.slice(nameEnd + 1, end));
    start = end + 1;
  }
  return undefined;
}

/** The value of a cookie in a Cookie header; quotes around it are part of it. */
export function cookieValue(cookies: string | undefined, name: string): string | undefined {
  if (cookies === undefined) return undefined;
  // Several Cookie headers are joined by ",", which is in no cookie's value.
  for (const pair of cookies.split(/[;,]/)) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}

/** What is no valid encoding stays as it is: a request with a stray "%" is to be routed, not refused. */
function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
