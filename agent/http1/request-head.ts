/** The head of a request, parsed strictly (RFC 9112, sections 3 and 5): positions in the bytes, and what frames its body. */
import { fault } from './fault.ts';
import { Fields, incomplete } from './fields.ts';
import { type BodyKind, ConnectionOptions, faultOfLength, readContentLength, readTransferEncoding } from './framing.ts';
import { headerKind } from './header-kind.ts';
import { cr, isHostOctet, isTargetOctet, isTokenOctet, lf, questionMark, slash, space } from './octets.ts';

/** `absolute`: an http:// URL, as to a proxy. `authority`: HOST:PORT, of CONNECT. `asterisk`: of OPTIONS. */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk';

/** Of method, target and version: longer ones are refused (414). */
const mostRequestLineBytes = 32 * 1024;
/** No method that anybody uses is as long. */
const mostMethodBytes = 32;

export class RequestHead {
  readonly fields = new Fields();
  readonly connection = new ConnectionOptions();
  bytes: Buffer = this.fields.bytes;
  /** Where the request line begins, and where the body does. */
  start = 0;
  end = 0;
  /** The request line could be read: what is said of it below is of this request. */
  hasLine = false;
  method = '';
  targetForm: TargetForm = 'origin';
  targetStart = 0;
  targetEnd = 0;
  /** Of an absolute target: its host, and port if any; else empty. */
  authorityStart = 0;
  authorityEnd = 0;
  /** The path as it is written, up to the "?" or the end of the target; empty of a target without one. */
  pathStart = 0;
  pathEnd = 0;
  /** Of HTTP/1.x. */
  minorVersion = 1;
  body: BodyKind = 'none';
  contentLength = 0;

  /**
   * The position of the body, `incomplete`, or a fault. Empty lines before the request are passed over (RFC 9112, 2.2);
   * when there is nothing else, `start` is `to`.
   */
  parse(bytes: Buffer, from: number, to: number): number {
    this.bytes = bytes;
    this.hasLine = false;
    const start = bytes[from] === cr ? skipEmptyLines(bytes, from, to) : from;
    this.start = start;
    if (start === to || (start + 1 === to && bytes[start] === cr)) return incomplete;
    // What is beyond the limit is not looked at, so that a fault there is the same whether it has come or not.
    const line = this.#parseLine(bytes, start, Math.min(to, start + mostRequestLineBytes));
    if (line === incomplete) return to - start > mostRequestLineBytes ? fault.requestLineTooLong : incomplete;
    if (line < 0) return line;
    this.hasLine = true;
    const end = this.fields.parse(bytes, line, to);
    if (end <= 0) return end;
    this.end = end;
    return this.#readFields() || end;
  }

  /** What the target means by its path: "/" where an URL has none; '' of CONNECT, which has nothing of the kind. */
  get path(): string {
    if (this.pathStart === this.pathEnd) return this.#impliedPath;
    return this.bytes.toString('latin1', this.pathStart, this.pathEnd);
  }

  /** What stands behind the "?"; '' when there is none. */
  get query(): string {
    return this.pathEnd < this.targetEnd ? this.bytes.toString('latin1', this.pathEnd + 1, this.targetEnd) : '';
  }

  /** As it was written. */
  get target(): string {
    return this.bytes.toString('latin1', this.targetStart, this.targetEnd);
  }

  /** What the request is addressed to: of the target, else the Host header; '' of HTTP/1.0 without either. */
  get authority(): string {
    if (this.authorityEnd > this.authorityStart) {
      return this.bytes.toString('latin1', this.authorityStart, this.authorityEnd);
    }
    const host = this.fields.indexOf(headerKind.host);
    return host === -1 ? '' : this.fields.value(host);
  }

  /** The value of a header by its name in lower case; the values of a repeated one, joined by ",". */
  header(lowerCaseName: string): string | undefined {
    return this.fields.find(lowerCaseName);
  }

  /** Whether the sender may use its connection again after the answer. */
  get keepsAlive(): boolean {
    return this.minorVersion === 0 ? this.connection.keepAlive && !this.connection.close : !this.connection.close;
  }

  /** RFC 9112, 3.2.2 and 3.2.4. */
  get #impliedPath(): string {
    if (this.targetForm === 'authority') return '';
    return this.method === 'OPTIONS' && this.pathEnd === this.targetEnd ? '*' : '/';
  }

  /** Its bytes, for as long as they are needed. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(this.start, this.end));
  }

  #parseLine(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to && isTokenOctet[bytes[at] ?? 0] === 1) at++;
    if (at - from > mostMethodBytes) return fault.method;
    if (at >= to) return incomplete;
    if (bytes[at] !== space || at === from) return fault.method;
    this.method = internMethod(bytes, from, at);
    this.targetStart = ++at;
    this.pathEnd = 0;
    for (; at < to; at++) {
      const octet = bytes[at] ?? 0;
      if (isTargetOctet[octet] === 0) break;
      if (octet === questionMark && this.pathEnd === 0) this.pathEnd = at;
    }
    if (at >= to) return incomplete;
    this.targetEnd = at;
    if (this.pathEnd === 0) this.pathEnd = at;
    if (bytes[at] !== space) return faultOfTargetEnd(bytes[at]);
    const formFault = this.#readTarget(bytes);
    if (formFault !== 0) return formFault;
    return this.#parseVersion(bytes, at + 1, to);
  }

  #readTarget(bytes: Buffer): number {
    this.authorityStart = 0;
    this.authorityEnd = 0;
    this.pathStart = this.targetStart;
    if (this.method === 'CONNECT') {
      this.targetForm = 'authority';
      this.authorityStart = this.targetStart;
      this.authorityEnd = this.targetEnd;
      this.pathStart = this.targetEnd;
      this.pathEnd = this.targetEnd;
      if (this.targetEnd === this.targetStart) return fault.targetForm;
      return isHost(bytes, this.targetStart, this.targetEnd) ? 0 : fault.host;
    }
    if (bytes[this.targetStart] === slash) {
      this.targetForm = 'origin';
      return 0;
    }
    if (this.targetEnd - this.targetStart === 1 && bytes[this.targetStart] === 0x2a) {
      this.targetForm = 'asterisk';
      return this.method === 'OPTIONS' ? 0 : fault.targetForm;
    }
    return this.#readAbsolute(bytes);
  }

  /** `http://host:port/path`; without a path it means "/" (RFC 9112, 3.2.2), but of OPTIONS the server itself. */
  #readAbsolute(bytes: Buffer): number {
    const scheme = bytes.toString('latin1', this.targetStart, this.targetStart + 7).toLowerCase();
    if (scheme !== 'http://') return fault.targetForm;
    this.targetForm = 'absolute';
    this.authorityStart = this.targetStart + 7;
    let at = this.authorityStart;
    while (at < this.targetEnd && bytes[at] !== slash && bytes[at] !== questionMark) at++;
    this.authorityEnd = at;
    this.pathStart = at;
    if (at === this.authorityStart) return fault.targetForm;
    return isHost(bytes, this.authorityStart, at) ? 0 : fault.host;
  }

  /** From behind the target to behind the end of the line. */
  #parseVersion(bytes: Buffer, from: number, to: number): number {
    for (let i = 0; i < versionPrefix.length; i++) {
      if (from + i >= to) return incomplete;
      if (bytes[from + i] !== versionPrefix.charCodeAt(i)) return fault.requestLine;
    }
    // "HTTP/2.0" and "HTTP/1.2" are versions, but none that is spoken here.
    const at = from + versionPrefix.length;
    if (at + 2 >= to) return incomplete;
    const minor = (bytes[at + 2] ?? 0) - 0x30;
    if (bytes[at] !== 0x31 || bytes[at + 1] !== 0x2e || (minor !== 0 && minor !== 1)) return fault.version;
    this.minorVersion = minor;
    if (at + 3 >= to) return incomplete;
    if (bytes[at + 3] !== cr) return bytes[at + 3] === lf ? fault.lineEnd : fault.requestLine;
    if (at + 4 >= to) return incomplete;
    return bytes[at + 4] === lf ? at + 5 : fault.bareCr;
  }

  /** 0, or a fault. */
  #readFields(): number {
    const { fields } = this;
    const hosts = fields.countOf(headerKind.host);
    if (hosts > 1) return fault.hostRepeated;
    if (hosts === 0) {
      if (this.minorVersion === 1) return fault.hostMissing;
    } else {
      const host = fields.indexOf(headerKind.host);
      if (!isHost(fields.bytes, fields.valueStart(host), fields.valueEnd(host))) return fault.host;
    }
    const length = readContentLength(fields);
    const isChunked = readTransferEncoding(fields, this.minorVersion);
    if (isChunked < 0) return isChunked;
    if (length < -1) return faultOfLength(length);
    if (this.targetForm === 'authority' && (isChunked === 1 || length > 0)) return fault.connectBody;
    this.body = isChunked === 1 ? 'chunked' : length > 0 ? 'sized' : 'none';
    this.contentLength = Math.max(length, 0);
    return this.connection.read(fields);
  }
}

const versionPrefix = 'HTTP/';

/** The position behind empty lines. */
function skipEmptyLines(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at + 1 < to && bytes[at] === cr && bytes[at + 1] === lf) at += 2;
  return at;
}

/** Whether there is nothing in it that neither a host nor a port has; what it means is not checked. */
function isHost(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if (isHostOctet[bytes[at] ?? 0] === 0) return false;
  }
  return true;
}

function faultOfTargetEnd(octet: number | undefined): number {
  // "GET /" and the end of the line: HTTP/0.9.
  if (octet === cr || octet === lf) return fault.requestLine;
  return fault.target;
}

/** Strings for the methods of every day, so that no request makes one. */
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'CONNECT', 'TRACE'] as const;

function internMethod(bytes: Buffer, from: number, to: number): string {
  for (const method of methods) {
    if (equals(bytes, from, to, method)) return method;
  }
  return bytes.toString('latin1', from, to);
}

function equals(bytes: Buffer, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (bytes[from + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}
