/** The head of a response, parsed as strictly as a request's (RFC 9112, sections 4 and 5). */
import { fault } from './fault.ts';
import { Fields, incomplete } from './fields.ts';
import { type BodyKind, ConnectionOptions, faultOfLength, readContentLength, readTransferEncoding } from './framing.ts';
import { cr, isValueOctet, lf, space } from './octets.ts';

/** What the request was, as far as it decides where the response ends. */
export type Asked = 'HEAD' | 'CONNECT' | 'other';

export class ResponseHead {
  readonly fields = new Fields();
  readonly connection = new ConnectionOptions();
  bytes: Buffer = this.fields.bytes;
  start = 0;
  end = 0;
  status = 0;
  /** From the status on to the end of its line. */
  statusStart = 0;
  statusEnd = 0;
  minorVersion = 1;
  body: BodyKind = 'none';
  /** Of a sized body; else what Content-Length says, -1 when it says nothing. */
  contentLength = 0;

  /** The position of the body, `incomplete`, or a fault. */
  parse(bytes: Buffer, from: number, to: number, asked: Asked): number {
    this.bytes = bytes;
    this.start = from;
    const line = this.#parseLine(bytes, from, to);
    if (line <= 0) return line;
    const end = this.fields.parse(bytes, line, to);
    if (end <= 0) return end;
    this.end = end;
    return this.#readFields(asked) || end;
  }

  /** 100 to 199 but for 101: another head follows. */
  get isInterim(): boolean {
    return this.status < 200 && this.status !== 101;
  }

  /** Whether the connection can be used for another request when this response is over. */
  get keepsAlive(): boolean {
    if (this.body === 'until-close') return false;
    return this.minorVersion === 0 ? this.connection.keepAlive && !this.connection.close : !this.connection.close;
  }

  #parseLine(bytes: Buffer, from: number, to: number): number {
    for (let i = 0; i < versionPrefix.length; i++) {
      if (from + i >= to) return incomplete;
      if (bytes[from + i] !== versionPrefix.charCodeAt(i)) return fault.statusLine;
    }
    let at = from + versionPrefix.length;
    if (at + 5 > to) return incomplete;
    const minor = (bytes[at] ?? 0) - 0x30;
    if (minor !== 0 && minor !== 1) return fault.version;
    this.minorVersion = minor;
    if (bytes[at + 1] !== space) return fault.statusLine;
    at += 2;
    this.statusStart = at;
    let status = 0;
    for (let i = 0; i < 3; i++, at++) {
      const digit = (bytes[at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) return fault.statusLine;
      status = status * 10 + digit;
    }
    if (status < 100) return fault.statusLine;
    this.status = status;
    if (at >= to) return incomplete;
    // The space behind the status may be missing with the reason: many servers leave both out.
    if (bytes[at] !== space && bytes[at] !== cr) return bytes[at] === lf ? fault.lineEnd : fault.statusLine;
    while (at < to && isValueOctet[bytes[at] ?? 0] === 1) at++;
    this.statusEnd = at;
    if (at >= to) return incomplete;
    if (bytes[at] !== cr) return bytes[at] === lf ? fault.lineEnd : fault.statusLine;
    if (at + 1 >= to) return incomplete;
    return bytes[at + 1] === lf ? at + 2 : fault.bareCr;
  }

  /** 0, or a fault. */
  #readFields(asked: Asked): number {
    const length = readContentLength(this.fields);
    const isChunked = readTransferEncoding(this.fields, this.minorVersion);
    if (isChunked < 0) return isChunked;
    if (length < -1) return faultOfLength(length);
    this.contentLength = length;
    this.body = this.#bodyKind(asked, isChunked === 1, length);
    return this.connection.read(this.fields);
  }

  /** RFC 9112, 6.3. */
  #bodyKind(asked: Asked, isChunked: boolean, length: number): BodyKind {
    const { status } = this;
    if (asked === 'HEAD' || status < 200 || status === 204 || status === 304) return 'none';
    if (asked === 'CONNECT' && status < 300) return 'none';
    if (isChunked) return 'chunked';
    if (length === -1) return 'until-close';
    return length === 0 ? 'none' : 'sized';
  }
}

const versionPrefix = 'HTTP/1.';
