/**
 * One JSON object on one line, put together as bytes: no object and hardly a string is made for it. All of it is ASCII, with
 * anything else escaped, so that what clients write can be nothing but text.
 */
import { ByteWriter } from '../http1/byte-writer.ts';

/** 1 for what stands in a JSON string as it is. */
const isPlain = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x20 && octet < 0x7f && octet !== 0x22 && octet !== 0x5c ? 1 : 0,
);
const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const usualBytes = 2_048;
/** Of a text, in characters: clients decide how long some are. */
const longestText = 512;
/** `\u2026`, which is what any one character may take. */
const longestCharacter = 6;

export class JsonLine {
  readonly #writer = new ByteWriter(usualBytes);

  get bytes(): Buffer {
    return this.#writer.bytes;
  }

  get length(): number {
    return this.#writer.length;
  }

  /** Forgets the line before. */
  begin(): void {
    this.#writer.length = 0;
    this.#writer.text('{');
  }

  end(): void {
    this.#writer.text('}');
  }

  /** '' is null. */
  text(key: string, text: string): void {
    const length = Math.min(text.length, longestText);
    const writer = this.#key(key, length * longestCharacter);
    if (length === 0) return writer.text('null');
    const { bytes } = writer;
    let at = writer.length;
    bytes[at++] = quote;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (isPlain[code] === 1) bytes[at++] = code;
      else at += bytes.write(escaped(code), at, 'latin1');
    }
    this.#endText(at, length < text.length);
  }

  /** Text of one octet a character. Nothing is null. */
  octets(key: string, octets: Buffer, from: number, to: number, longest = longestText): void {
    const end = Math.min(to, from + longest);
    const writer = this.#key(key, (end - from) * longestCharacter);
    if (from === to) return writer.text('null');
    const { bytes } = writer;
    let at = writer.length;
    bytes[at++] = quote;
    for (let i = from; i < end; i++) {
      const octet = octets[i] ?? 0;
      if (isPlain[octet] === 1) bytes[at++] = octet;
      else at += bytes.write(escaped(octet), at, 'latin1');
    }
    this.#endText(at, end < to);
  }

  /** Below 0 is null. */
  number(key: string, number: number): void {
    this.#key(key, 0).text(number < 0 ? 'null' : String(number));
  }

  /** To microseconds; below 0 is null. */
  milliseconds(key: string, ms: number): void {
    const writer = this.#key(key, 0);
    if (ms < 0) return writer.text('null');
    const us = Math.round(ms * 1_000);
    const whole = Math.floor(us / 1_000);
    writer.text(String(whole));
    writer.text(thousandths[us - 1_000 * whole] ?? '');
  }

  /** What `fragment` has made. */
  add(fragment: Buffer): void {
    const writer = this.#writer;
    writer.reserve(fragment.length + 1);
    if (writer.length > 1) writer.bytes[writer.length++] = comma;
    writer.copy(fragment, 0, fragment.length);
  }

  /** `room`: for a text of so many bytes. */
  #key(key: string, room: number): ByteWriter {
    const writer = this.#writer;
    const { length } = key;
    writer.reserve(length + room + spare);
    const { bytes } = writer;
    let at = writer.length;
    if (at > 1) bytes[at++] = comma;
    bytes[at++] = quote;
    for (let i = 0; i < length; i++) bytes[at++] = key.charCodeAt(i);
    bytes[at++] = quote;
    bytes[at++] = colon;
    writer.length = at;
    return writer;
  }

  #endText(at: number, isCut: boolean): void {
    const writer = this.#writer;
    let end = at;
    if (isCut) end += writer.bytes.write(ellipsis, end, 'latin1');
    writer.bytes[end++] = quote;
    writer.length = end;
  }
}

/** For the quotes, comma and colon of a key, the quotes of its text, and an ellipsis. */
const spare = 16;
const ellipsis = '\\u2026';

function escaped(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

/** With their point, and without what would be zeros at the end. */
const thousandths: readonly string[] = Array.from({ length: 1_000 }, (_, n) =>
  n === 0 ? '' : `.${String(n).padStart(3, '0').replace(/0+$/, '')}`,
);

/** Some keys with their values, for lines in which they are the same. */
export function fragment(write: (line: JsonLine) => void): Buffer {
  const line = new JsonLine();
  line.begin();
  write(line);
  return Buffer.from(line.bytes.subarray(1, line.length));
}
