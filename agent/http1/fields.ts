/**
 * Header lines where they lie: positions in the bytes that were received, no string made unless somebody asks. One such
 * object is used for one message after another, so it is good until the next message is parsed into it.
 */
import { fault } from './fault.ts';
import { addToHash, kindCount, kindOf } from './header-kind.ts';
import { colon, cr, equalsLowerCase, isTokenOctet, isValueOctet, lf, space, tab } from './octets.ts';

/** More are refused (431): each costs work here and in every application behind. Node allows 2,000, Envoy 100. */
export const mostFields = 256;

/** What a parser answers when the bytes end before the message does: no fault and no position. */
export const incomplete = 0;

/** Positions of a line: where its name begins and ends, and its value. The line itself goes on to the next one's name. */
const perField = 4;

export class Fields {
  bytes: Buffer = Buffer.alloc(0);
  count = 0;
  readonly #positions = new Int32Array(mostFields * perField);
  readonly #kinds = new Uint8Array(mostFields);
  /** By kind: index of the first such header plus one; 0 is none. */
  readonly #first = new Int16Array(kindCount);
  /** By kind: how many there are. */
  readonly #counts = new Int16Array(kindCount);
  #end = 0;

  /**
   * Reads header lines and the empty line behind them, from `at`. The position behind it all, `incomplete` when that lies
   * beyond `to`, or a fault.
   */
  parse(bytes: Buffer, from: number, to: number): number {
    this.bytes = bytes;
    this.count = 0;
    this.#first.fill(0);
    this.#counts.fill(0);
    let at = from;
    for (;;) {
      if (at >= to) return incomplete;
      if (bytes[at] === cr) {
        if (at + 1 >= to) return incomplete;
        if (bytes[at + 1] !== lf) return fault.bareCr;
        this.#end = at;
        return at + 2;
      }
      at = this.#parseLine(bytes, at, to);
      if (at <= 0) return at;
    }
  }

  /** Where the line begins. */
  lineStart(index: number): number {
    return this.#positions[index * perField] ?? 0;
  }

  /** Where the next line begins, or the empty line behind the last. */
  lineEnd(index: number): number {
    return index + 1 < this.count ? this.lineStart(index + 1) : this.#end;
  }

  nameEnd(index: number): number {
    return this.#positions[index * perField + 1] ?? 0;
  }

  valueStart(index: number): number {
    return this.#positions[index * perField + 2] ?? 0;
  }

  valueEnd(index: number): number {
    return this.#positions[index * perField + 3] ?? 0;
  }

  kind(index: number): number {
    return this.#kinds[index] ?? 0;
  }

  /** Index of the first header of a kind; -1 when there is none. */
  indexOf(kind: number): number {
    return (this.#first[kind] ?? 0) - 1;
  }

  has(kind: number): boolean {
    return this.#first[kind] !== 0;
  }

  countOf(kind: number): number {
    return this.#counts[kind] ?? 0;
  }

  name(index: number): string {
    return this.bytes.toString('latin1', this.lineStart(index), this.nameEnd(index));
  }

  value(index: number): string {
    return this.bytes.toString('latin1', this.valueStart(index), this.valueEnd(index));
  }

  /** The value of a header by its name in lower case; the values of a repeated one, joined by ",". */
  find(lowerCaseName: string): string | undefined {
    let value: string | undefined;
    for (let index = 0; index < this.count; index++) {
      if (!this.isNamed(index, lowerCaseName)) continue;
      value = value === undefined ? this.value(index) : `${value},${this.value(index)}`;
    }
    return value;
  }

  isNamed(index: number, lowerCaseName: string): boolean {
    return equalsLowerCase(this.bytes, this.lineStart(index), this.nameEnd(index), lowerCaseName);
  }

  /** One line from `at`: the position behind it, `incomplete` or a fault. */
  #parseLine(bytes: Buffer, from: number, to: number): number {
    let at = from;
    let hash = 0;
    let octet = 0;
    for (; at < to; at++) {
      octet = bytes[at] ?? 0;
      if (isTokenOctet[octet] === 0) break;
      hash = addToHash(hash, octet);
    }
    if (at >= to) return incomplete;
    if (octet !== colon || at === from) return faultOfName(octet, at === from);
    const nameEnd = at++;
    while (at < to && (bytes[at] === space || bytes[at] === tab)) at++;
    const valueStart = at;
    while (at < to && isValueOctet[bytes[at] ?? 0] === 1) at++;
    if (at + 1 >= to) {
      // All there is of the line has been looked at, but for its last octet.
      return at < to && bytes[at] !== cr ? faultOfValue(bytes[at]) : incomplete;
    }
    if (bytes[at] !== cr) return faultOfValue(bytes[at]);
    if (bytes[at + 1] !== lf) return fault.bareCr;
    const index = this.count;
    if (index === mostFields) return fault.tooManyHeaders;
    let valueEnd = at;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd--;
    this.#note(index, kindOf(hash, bytes, from, nameEnd));
    const place = index * perField;
    this.#positions[place] = from;
    this.#positions[place + 1] = nameEnd;
    this.#positions[place + 2] = valueStart;
    this.#positions[place + 3] = valueEnd;
    this.count = index + 1;
    return at + 2;
  }

  #note(index: number, kind: number): void {
    this.#kinds[index] = kind;
    if (kind === 0) return;
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    if (this.#first[kind] === 0) this.#first[kind] = index + 1;
  }
}

function isBlank(octet: number | undefined): boolean {
  return octet === space || octet === tab;
}

function faultOfName(octet: number, isFirst: boolean): number {
  if (octet === lf) return fault.lineEnd;
  return isFirst && isBlank(octet) ? fault.lineFolding : fault.headerName;
}

function faultOfValue(octet: number | undefined): number {
  return octet === lf ? fault.lineEnd : fault.headerValue;
}
