/** Walks over the records of a message without following a name: time grows with the bytes that are there, whatever they say. */
import { headerBytes } from './protocol.ts';

export interface RecordHead {
  /** Where its name begins. */
  start: number;
  type: number;
  /** Where its TTL stands; the class is before it, the length of its data behind. */
  ttlAt: number;
  dataAt: number;
  end: number;
}

/** Behind the name that begins there; -1 when it is none. A pointer ends it and has to lead to before it. */
export function skipName(bytes: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || at - start > 255) return -1;
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      const target = at + 1 < bytes.length ? bytes.readUInt16BE(at) & 0x3fff : start;
      return target < start && target >= headerBytes ? at + 2 : -1;
    }
    // 0x40 and 0x80 were once meant for other kinds of labels.
    if (length > 63) return -1;
    at += length + 1;
  }
}

/** Undefined when no whole record begins there. */
export function readRecord(bytes: Buffer, start: number): RecordHead | undefined {
  const named = skipName(bytes, start);
  if (named < 0 || named + 10 > bytes.length) return undefined;
  const dataAt = named + 10;
  const end = dataAt + bytes.readUInt16BE(named + 8);
  if (end > bytes.length) return undefined;
  return { start, type: bytes.readUInt16BE(named), ttlAt: named + 4, dataAt, end };
}
