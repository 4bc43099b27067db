/** The heads of HTTP/1.1 messages as the proxy passes them on, and what may not be passed on. No body, no connection. */

/** name, value, name, value, … in the order and spelling of the wire. */
export type HeaderFields = readonly string[];

/** How the end of a request's body is told: it has none, `content-length` says, or it comes in chunks. */
export type BodyFraming = 'none' | 'sized' | 'chunked';

export interface RequestHead {
  readonly method: string;
  /** As on the wire: `/x?y`, `http://reviews/x`, `*`. */
  readonly target: string;
  readonly fields: HeaderFields;
  readonly framing: BodyFraming;
}

export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly fields: HeaderFields;
}

/** Every value of a header, by its name in lower case, in order. */
export function fieldValues(fields: HeaderFields, lowerCaseName: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (isNamed(fields[i], lowerCaseName)) values.push(fields[i + 1] ?? '');
  }
  return values;
}

/** The value of a header; the values of a repeated one, joined by ",". Undefined when there is none. */
export function fieldValue(fields: HeaderFields, lowerCaseName: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (!isNamed(fields[i], lowerCaseName)) continue;
    const next = fields[i + 1] ?? '';
    value = value === undefined ? next : `${value},${next}`;
  }
  return value;
}

/** Without the headers of these names (in lower case). */
export function withoutFields(fields: HeaderFields, lowerCaseNames: readonly string[]): HeaderFields {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (!lowerCaseNames.includes(name.toLowerCase())) kept.push(name, fields[i + 1] ?? '');
  }
  return kept;
}

/** RFC 9110 section 7.6.1, and what older clients say to proxies: these are about one connection and end with it. */
const hopByHop: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // The engine itself answers `expect: 100-continue` before it reads the body.
  'expect',
];

/** A sender that lists these in `connection` would have us change where a message ends or whom it is for. */
const neverHopByHop: readonly string[] = ['content-length', 'host', 'cookie', 'authorization'];

/** What is passed on: without the headers of this connection, those that `connection` lists, and `others` (in lower case). */
export function endToEndFields(fields: HeaderFields, others: readonly string[] = []): HeaderFields {
  const listed = fieldValue(fields, 'connection')?.split(',') ?? [];
  const names = listed.map((name) => name.trim().toLowerCase()).filter((name) => !neverHopByHop.includes(name));
  return withoutFields(fields, [...hopByHop, ...names, ...others]);
}

function isNamed(name: string | undefined, lowerCaseName: string): boolean {
  return name?.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName;
}
