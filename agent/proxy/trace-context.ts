/**
 * Who asks for what in whose name, across services: `x-request-id` and W3C `traceparent` are passed on as they came; a
 * request without them is given them. Nothing is sampled here: the flags of a trace that starts here are 00.
 *
 * Both are made of the same number, so a log line leads to its trace. Drawn and written for many requests at once: one
 * request takes two pieces of a text that is there already.
 */
import { randomFillSync } from 'node:crypto';
import type { ByteWriter } from '../http1/byte-writer.ts';
import type { Fields } from '../http1/fields.ts';
import { headerKind } from '../http1/header-kind.ts';
import type { HeaderChanges } from '../http1/pass-head.ts';

/** Of a trace and of its first span, in bytes. */
const traceBytes = 16;
const spanBytes = 8;
const drawnBytes = traceBytes + spanBytes;
/** So many are made at once. */
const stock = 256;

/** The digits of each octet. */
const hexadecimal = Buffer.from(Uint8Array.from({ length: 256 }, (_, octet) => octet)).toString('hex');
const highDigits = Uint8Array.from({ length: 256 }, (_, octet) => hexadecimal.charCodeAt(2 * octet));
const lowDigits = Uint8Array.from({ length: 256 }, (_, octet) => hexadecimal.charCodeAt(2 * octet + 1));

/** The two lines, with `0` where digits go. The id has the form of a UUID, which is what most tools expect. */
const template = Buffer.from(
  'x-request-id: 00000000-0000-0000-0000-000000000000\r\ntraceparent: 00-00000000000000000000000000000000-0000000000000000-00\r\n',
);
const linesLength = template.length;
/** Where the line of `traceparent` begins. */
const idLength = template.indexOf('traceparent');
/** Where the digits of the number go, the id's groups one by one, and those of the span. */
const idGroups = [0, 4, 6, 8, 10, traceBytes];
const idStart = template.indexOf('0');
const traceStart = template.indexOf('-', idLength) + 1;
const spanStart = template.indexOf('-', traceStart) + 1;

const chance = Buffer.allocUnsafeSlow(stock * drawnBytes);
const lines = Buffer.alloc(stock * linesLength, template);
let used = stock;

/** Adds what the request does not have, and no rule gives it or takes it off. */
export function startTrace(writer: ByteWriter, fields: Fields, changes: HeaderChanges | undefined): void {
  const hasId = fields.has(headerKind['x-request-id']) || decides(changes, 'x-request-id');
  const hasTrace = fields.has(headerKind.traceparent) || decides(changes, 'traceparent');
  if (hasId && hasTrace) return;
  if (used === stock) restock();
  const from = used++ * linesLength;
  writer.copy(lines, hasId ? from + idLength : from, hasTrace ? from + idLength : from + linesLength);
}

/** Also one that takes the header off wants it so. */
function decides(changes: HeaderChanges | undefined, wanted: string): boolean {
  if (changes === undefined) return false;
  return changes.remove.includes(wanted) || [...changes.set, ...changes.add].some(([name]) => name === wanted);
}

function restock(): void {
  randomFillSync(chance);
  for (let index = 0; index < stock; index++) {
    const from = index * drawnBytes;
    const line = index * linesLength;
    // Version and variant of a random UUID (RFC 9562).
    chance[from + 6] = ((chance[from + 6] ?? 0) & 0x0f) | 0x40;
    chance[from + 8] = ((chance[from + 8] ?? 0) & 0x3f) | 0x80;
    for (let group = 0; group + 1 < idGroups.length; group++) {
      const [start = 0, end = 0] = [idGroups[group], idGroups[group + 1]];
      // A "-" stands before each group but the first.
      write(line + idStart + 2 * start + group, from + start, end - start);
    }
    write(line + traceStart, from, traceBytes);
    write(line + spanStart, from + traceBytes, spanBytes);
  }
  used = 0;
}

/** So many random bytes, in hexadecimal. */
function write(at: number, from: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const octet = chance[from + i] ?? 0;
    lines[at + 2 * i] = highDigits[octet] ?? 0;
    lines[at + 2 * i + 1] = lowDigits[octet] ?? 0;
  }
}
