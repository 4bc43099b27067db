/**
 * What can be wrong with an HTTP/1.1 message. Parsers answer with these numbers, which are all below zero, so that a
 * position and a fault fit into one integer. Each has a name that is counted, a sentence, and where it is written.
 */

interface FaultDescription {
  /** For counters and logs. */
  readonly name: string;
  readonly sentence: string;
  /** Where the rule stands. */
  readonly section: string;
}

const descriptions = {
  lineEnd: ['line-end', 'a line does not end with CR LF', 'RFC 9112, 2.2'],
  bareCr: ['bare-cr', 'a CR stands without its LF', 'RFC 9112, 2.2'],
  method: ['method', 'the method is no token', 'RFC 9110, 9.1'],
  requestLine: ['request-line', 'the request line is not METHOD TARGET HTTP/1.1', 'RFC 9112, 3'],
  target: ['target', 'the request target has a character that must be percent-encoded', 'RFC 9112, 3.2'],
  targetForm: ['target-form', 'the request target is neither a path nor an http:// URL', 'RFC 9112, 3.2'],
  version: ['version', 'the version of HTTP is neither 1.1 nor 1.0', 'RFC 9110, 2.5'],
  statusLine: ['status-line', 'the status line is not HTTP/1.1 STATUS REASON', 'RFC 9112, 4'],
  lineFolding: ['line-folding', 'a header line is folded, or begins with white space', 'RFC 9112, 5.2'],
  headerName: ['header-name', 'the name of a header is no token directly before its colon', 'RFC 9112, 5.1'],
  headerValue: ['header-value', 'the value of a header has a control character', 'RFC 9110, 5.5'],
  hostMissing: ['host-missing', 'the request has no Host header', 'RFC 9112, 3.2'],
  host: ['host', 'the host of the request has a character that no host has', 'RFC 9112, 3.2'],
  hostRepeated: ['host-repeated', 'the request has several Host headers', 'RFC 9112, 3.2'],
  contentLength: ['content-length', 'Content-Length is no plain number', 'RFC 9112, 6.3'],
  contentLengthRepeated: ['content-length-repeated', 'Content-Length is given more than once', 'RFC 9112, 6.3'],
  transferEncoding: ['transfer-encoding', 'Transfer-Encoding is not "chunked" alone', 'RFC 9112, 6.1'],
  transferEncodingOld: ['transfer-encoding-1.0', 'HTTP/1.0 has no Transfer-Encoding', 'RFC 9112, 6.1'],
  connectBody: ['connect-body', 'CONNECT has no body', 'RFC 9110, 9.3.6'],
  lengthTwice: ['length-twice', 'Content-Length and Transfer-Encoding stand side by side', 'RFC 9112, 6.1'],
  connection: ['connection', 'Connection is no list of tokens', 'RFC 9110, 7.6.1'],
  chunkSize: ['chunk-size', 'the size of a chunk is no hexadecimal number', 'RFC 9112, 7.1'],
  chunkExtension: ['chunk-extension', 'the extension of a chunk is malformed or too long', 'RFC 9112, 7.1.1'],
  chunkEnd: ['chunk-end', 'a chunk does not end where its size says', 'RFC 9112, 7.1'],
  trailer: ['trailer', 'a trailer has a name that only a header may have', 'RFC 9110, 6.5.1'],
  trailerTooLarge: ['trailer-too-large', 'the trailers are too large', 'RFC 9112, 7.1.2'],
  requestLineTooLong: ['request-line-too-long', 'the request line is too long', 'RFC 9110, 15.5.15'],
  headTooLarge: ['head-too-large', 'the head is too large', 'RFC 6585, 5'],
  tooManyHeaders: ['too-many-headers', 'the head has too many headers', 'RFC 6585, 5'],
} as const;

type FaultKey = keyof typeof descriptions;

const keys = Object.keys(descriptions);

/** Numbers below zero, by what is wrong. */
export const fault: { readonly [Key in FaultKey]: number } = Object.assign(
  Object.create(null),
  Object.fromEntries(keys.map((key, index) => [key, -1 - index])),
);

const byNumber: readonly FaultDescription[] = Object.values(descriptions).map(([name, sentence, section]) => ({
  name,
  sentence,
  section,
}));

/** No faults of what arrived, but of what did not: above zero, so that they are neither a fault nor `incomplete`. */
export const headTooSlow = 1;
/** The sender has gone before the body was complete. */
export const bodyCutShort = 2;

/** Throws on a number that is no fault. */
export function describeFault(number: number): FaultDescription {
  const description = byNumber[-1 - number];
  if (description === undefined) throw new RangeError(`${number} is no fault of a message`);
  return description;
}
