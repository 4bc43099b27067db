/**
 * A chunked body on its way through (RFC 9112, section 7.1): every octet of its framing is checked, extensions are taken
 * out, trailers are checked and passed on. What is to be sent on is one stretch of the very bytes that came in; where
 * something is taken out, what follows is moved up.
 */
import { afterExtensionOctet, type ExtensionState } from './chunk-extension.ts';
import { fault } from './fault.ts';
import { Fields } from './fields.ts';
import { headerKind, otherSluiceHeader } from './header-kind.ts';
import { cr, hexValue, lf, semicolon } from './octets.ts';

/** `framed`: with the chunks, for a receiver that reads them. `bare`: their content alone, for one of HTTP/1.0. */
export type ChunkedOutput = 'framed' | 'bare';

type State =
  /** The first digit of a chunk's size, or a further one. */
  | 'size-start'
  | 'size'
  | 'extension'
  /** The LF behind a chunk's size. */
  | 'size-lf'
  | 'data'
  /** CR and LF behind a chunk's data. */
  | 'data-cr'
  | 'data-lf'
  /** Trailers, which are held back until the empty line behind them. */
  | 'trailers'
  | 'done';

/** Exact in a double, and far beyond any chunk. */
const mostSizeDigits = 12;
/** Of one chunk: nobody uses them, and they cost work that the length of the body does not show. */
const mostExtensionBytes = 256;
const mostTrailerBytes = 16 * 1024;

export class ChunkedBody {
  /** What the last `consume` found to be sent on: this stretch of the bytes, and `trailers` behind it. */
  from = 0;
  to = 0;
  /** The last bytes of the body, when there are trailers. */
  trailers: Buffer | undefined;
  /** Where the last `consume` stopped: at the end of the bytes, or of the body. */
  next = 0;
  #output: ChunkedOutput = 'framed';
  #state: State = 'size-start';
  #size = 0;
  /** Octets of the size or the extension so far. */
  #length = 0;
  #extension: ExtensionState = 'before name';
  #held: Buffer | undefined;

  reset(output: ChunkedOutput): void {
    this.#output = output;
    this.#state = 'size-start';
    this.#size = 0;
    this.#length = 0;
    this.#held = undefined;
    this.trailers = undefined;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** 0, or a fault: then `from` and `to` are what came before it. Changes the bytes where something is taken out. */
  consume(bytes: Buffer, from: number, to: number): number {
    this.from = from;
    this.to = from;
    this.trailers = undefined;
    let at = from;
    while (at < to && this.#state !== 'done') {
      at = this.#step(bytes, at, to);
      if (at < 0) return at;
    }
    this.next = at;
    return 0;
  }

  /** The position behind what was consumed, or a fault. */
  #step(bytes: Buffer, at: number, to: number): number {
    switch (this.#state) {
      case 'size-start':
      case 'size':
        return this.#readSize(bytes, at, to);
      case 'extension':
        return this.#skipExtension(bytes, at, to);
      case 'size-lf':
        if (bytes[at] !== lf) return fault.bareCr;
        this.#keepFraming(bytes, at, at + 1);
        this.#state = this.#size === 0 ? 'trailers' : 'data';
        return at + 1;
      case 'data': {
        const end = Math.min(to, at + this.#size);
        this.#keep(bytes, at, end);
        this.#size -= end - at;
        if (this.#size === 0) this.#state = 'data-cr';
        return end;
      }
      case 'data-cr':
        if (bytes[at] !== cr) return fault.chunkEnd;
        this.#keepFraming(bytes, at, at + 1);
        this.#state = 'data-lf';
        return at + 1;
      case 'data-lf':
        if (bytes[at] !== lf) return fault.chunkEnd;
        this.#keepFraming(bytes, at, at + 1);
        this.#state = 'size-start';
        return at + 1;
      case 'trailers':
        return this.#readTrailers(bytes, at, to);
      case 'done':
        return at;
    }
  }

  #readSize(bytes: Buffer, from: number, to: number): number {
    if (this.#state === 'size-start') {
      this.#size = 0;
      this.#length = 0;
      this.#state = 'size';
    }
    let at = from;
    for (; at < to; at++) {
      const digit = hexValue[bytes[at] ?? 0] ?? -1;
      if (digit === -1) break;
      this.#size = this.#size * 16 + digit;
      if (++this.#length > mostSizeDigits) return fault.chunkSize;
    }
    this.#keepFraming(bytes, from, at);
    if (at === to) return at;
    if (this.#length === 0) return fault.chunkSize;
    if (bytes[at] === cr) {
      this.#keepFraming(bytes, at, at + 1);
      this.#state = 'size-lf';
      return at + 1;
    }
    if (bytes[at] !== semicolon) return fault.chunkSize;
    this.#length = 1;
    this.#extension = 'before name';
    this.#state = 'extension';
    return at + 1;
  }

  /** Extensions end here (RFC 9112, 7.1.1: a recipient ignores those it does not know). */
  #skipExtension(bytes: Buffer, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      const state = afterExtensionOctet(this.#extension, bytes[at] ?? 0);
      if (state === undefined) return fault.chunkExtension;
      this.#extension = state;
      if (state === 'end') {
        this.#keepFraming(bytes, at, at + 1);
        this.#state = 'size-lf';
        return at + 1;
      }
      if (++this.#length > mostExtensionBytes) return fault.chunkExtension;
    }
    return to;
  }

  #readTrailers(bytes: Buffer, from: number, to: number): number {
    // Nearly always there are none.
    if (this.#held === undefined && to - from >= 2 && bytes[from] === cr && bytes[from + 1] === lf) {
      this.#keepFraming(bytes, from, from + 2);
      this.#state = 'done';
      return from + 2;
    }
    const heldBefore = this.#held?.length ?? 0;
    // One octet beyond the limit tells that it is passed, wherever the bytes are cut.
    const enough = Math.min(to, from + mostTrailerBytes + 1 - heldBefore);
    const held = Buffer.concat([this.#held ?? nothing, bytes.subarray(from, enough)]);
    this.#held = held;
    const end = trailerFields.parse(held, 0, held.length);
    if (end < 0) return end;
    if (end > mostTrailerBytes || (end === 0 && held.length > mostTrailerBytes)) return fault.trailerTooLarge;
    if (end === 0) return to;
    if (hasForbiddenTrailer(trailerFields)) return fault.trailer;
    if (this.#output === 'framed') this.trailers = held.subarray(0, end);
    this.#held = undefined;
    this.#state = 'done';
    return from + end - heldBefore;
  }

  #keepFraming(bytes: Buffer, from: number, to: number): void {
    if (this.#output === 'framed') this.#keep(bytes, from, to);
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.to !== from) bytes.copyWithin(this.to, from, to);
    this.to += to - from;
  }
}

const nothing = Buffer.alloc(0);
const trailerFields = new Fields();

/** RFC 9110, 6.5.1: what frames, routes or authenticates a message is too late behind it. */
const forbiddenKinds: readonly number[] = [
  headerKind['content-length'],
  headerKind['transfer-encoding'],
  headerKind.host,
  headerKind.connection,
  headerKind['keep-alive'],
  headerKind['proxy-connection'],
  headerKind['proxy-authenticate'],
  headerKind['proxy-authorization'],
  headerKind['http2-settings'],
  headerKind.te,
  headerKind.upgrade,
  headerKind.expect,
  headerKind.cookie,
  headerKind.forwarded,
  headerKind['x-forwarded-for'],
  headerKind['x-forwarded-proto'],
  headerKind['x-sluice-instance'],
  headerKind['x-sluice-reason'],
  otherSluiceHeader,
];

const forbiddenNames: readonly string[] = [
  'authorization',
  'content-encoding',
  'content-range',
  'content-type',
  'cache-control',
  'max-forwards',
  'range',
  'set-cookie',
  'trailer',
];

function hasForbiddenTrailer(fields: Fields): boolean {
  if (forbiddenKinds.some((kind) => fields.has(kind))) return true;
  for (let index = 0; index < fields.count; index++) {
    if (forbiddenNames.some((name) => fields.isNamed(index, name))) return true;
  }
  return false;
}
