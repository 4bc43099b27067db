/** Where a message ends, and what becomes of its connection: what its head says of it (RFC 9112, sections 6.3 and 9.3). */
import { fault } from './fault.ts';
import type { Fields } from './fields.ts';
import { headerKind } from './header-kind.ts';
import { comma, cr, equalsLowerCase, isTokenOctet, lowerCased, space, tab } from './octets.ts';

/** How the end of a body is told. */
export type BodyKind = 'none' | 'sized' | 'chunked' | 'until-close';

/** What the Connection header says; of a message without one, nothing is true. */
export class ConnectionOptions {
  close = false;
  keepAlive = false;
  upgrade = false;
  /** Names other than these are in it: headers that end here. */
  namesHeaders = false;

  /** 0, or a fault. */
  read(fields: Fields): number {
    this.close = false;
    this.keepAlive = false;
    this.upgrade = false;
    this.namesHeaders = false;
    if (!fields.has(headerKind.connection)) return 0;
    for (let index = fields.indexOf(headerKind.connection); index < fields.count; index++) {
      if (fields.kind(index) !== headerKind.connection) continue;
      if (!this.#readValue(fields.bytes, fields.valueStart(index), fields.valueEnd(index))) return fault.connection;
    }
    return 0;
  }

  #readValue(bytes: Buffer, from: number, to: number): boolean {
    let at = nextToken(bytes, from, to);
    while (at < to) {
      const end = tokenEnd(bytes, at, to);
      if (end === at) return false;
      if (!this.#note(bytes, at, end)) this.namesHeaders = true;
      at = end;
      while (at < to && (bytes[at] === space || bytes[at] === tab)) at++;
      if (at < to && bytes[at] !== comma) return false;
      at = nextToken(bytes, at, to);
    }
    return true;
  }

  /** False for what is none of the options that everybody knows. */
  #note(bytes: Buffer, from: number, to: number): boolean {
    if (equalsLowerCase(bytes, from, to, 'close')) this.close = true;
    else if (equalsLowerCase(bytes, from, to, 'keep-alive')) this.keepAlive = true;
    else if (equalsLowerCase(bytes, from, to, 'upgrade')) this.upgrade = true;
    else return false;
    return true;
  }
}

/** Whether Connection names this header (RFC 9110, 7.6.1), so that it ends here. */
export function isNamedByConnection(fields: Fields, header: number): boolean {
  const { bytes } = fields;
  const from = fields.lineStart(header);
  const length = fields.nameEnd(header) - from;
  for (let index = fields.indexOf(headerKind.connection); index < fields.count; index++) {
    if (fields.kind(index) !== headerKind.connection) continue;
    const to = fields.valueEnd(index);
    for (let at = nextToken(bytes, fields.valueStart(index), to); at < to; ) {
      const end = tokenEnd(bytes, at, to);
      if (end === at) break;
      if (end - at === length && equalsFolded(bytes, at, from, length)) return true;
      at = nextToken(bytes, end, to);
    }
  }
  return false;
}

/**
 * The length that Content-Length gives; -1 without one, or a fault, which is less. The number of digits is limited, so
 * that it is exact in a double.
 */
export function readContentLength(fields: Fields): number {
  const index = fields.indexOf(headerKind['content-length']);
  if (index === -1) return -1;
  if (fields.countOf(headerKind['content-length']) > 1) return lengthFault(fault.contentLengthRepeated);
  const from = fields.valueStart(index);
  const to = fields.valueEnd(index);
  if (from === to || to - from > mostDigits || hasTab(fields.bytes, to)) return lengthFault(fault.contentLength);
  let length = 0;
  for (let at = from; at < to; at++) {
    const digit = (fields.bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return lengthFault(fault.contentLength);
    length = length * 10 + digit;
  }
  return length;
}

const mostDigits = 15;

/** Faults begin at -1, which means "no length" here: moved down by one. */
function lengthFault(number: number): number {
  return number - 1;
}

/** The fault in what `readContentLength` answered; 0 when there is none. */
export function faultOfLength(length: number): number {
  return length < -1 ? length + 1 : 0;
}

/** Whether the body is chunked; 0: no, 1: yes, or a fault. Only "chunked" alone is taken. */
export function readTransferEncoding(fields: Fields, minorVersion: number): number {
  const index = fields.indexOf(headerKind['transfer-encoding']);
  if (index === -1) return 0;
  if (minorVersion === 0) return fault.transferEncodingOld;
  const to = fields.valueEnd(index);
  const isPlain =
    fields.countOf(headerKind['transfer-encoding']) === 1 &&
    equalsLowerCase(fields.bytes, fields.valueStart(index), to, 'chunked') &&
    !hasTab(fields.bytes, to);
  if (!isPlain) return fault.transferEncoding;
  return fields.has(headerKind['content-length']) ? fault.lengthTwice : 1;
}

/**
 * Whether there is a tab between the value that ends here and the end of its line. It may stand there, but not every parser
 * takes it for white space, and the line goes on as it came: where it decides where a body ends, all must read the same.
 */
function hasTab(bytes: Buffer, from: number): boolean {
  for (let at = from; bytes[at] !== cr; at++) {
    if (bytes[at] === tab) return true;
  }
  return false;
}

function nextToken(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] === comma || bytes[at] === space || bytes[at] === tab)) at++;
  return at;
}

function tokenEnd(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && isTokenOctet[bytes[at] ?? 0] === 1) at++;
  return at;
}

function equalsFolded(bytes: Buffer, one: number, other: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    if (lowerCased[bytes[one + i] ?? 0] !== lowerCased[bytes[other + i] ?? 0]) return false;
  }
  return true;
}
