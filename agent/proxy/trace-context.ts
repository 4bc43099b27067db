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

/** Of a trace and of its first span, in bytes. */
const traceBytes = 16;
const spanBytes = 8;
const drawnBytes = traceBytes + spanBytes;
/** So many are made at once. */
const stock = 256;

const example = linesOf('0'.repeat(2 * drawnBytes));
const linesLength = example.length;
/** Where the line of `traceparent` begins. */
const idLength = example.indexOf('traceparent');

const chance = Buffer.allocUnsafeSlow(stock * drawnBytes);
const lines = Buffer.allocUnsafeSlow(stock * linesLength);
let used = stock;

/** Adds what the request does not have. */
export function startTrace(writer: ByteWriter, fields: Fields): void {
  const hasId = fields.has(headerKind['x-request-id']);
  const hasTrace = fields.has(headerKind.traceparent);
  if (hasId && hasTrace) return;
  if (used === stock) restock();
  const from = used++ * linesLength;
  writer.copy(lines, hasId ? from + idLength : from, hasTrace ? from + idLength : from + linesLength);
}

function restock(): void {
  randomFillSync(chance);
  for (let index = 0; index < stock; index++) {
    const from = index * drawnBytes;
    // Version and variant of a random UUID (RFC 9562).
    chance[from + 6] = ((chance[from + 6] ?? 0) & 0x0f) | 0x40;
    chance[from + 8] = ((chance[from + 8] ?? 0) & 0x3f) | 0x80;
    lines.write(linesOf(chance.toString('hex', from, from + drawnBytes)), index * linesLength, 'latin1');
  }
  used = 0;
}

/** The id in the form of a UUID, which is what most tools expect. */
function linesOf(hex: string): string {
  const trace = hex.slice(0, 2 * traceBytes);
  const parts = [trace.slice(0, 8), trace.slice(8, 12), trace.slice(12, 16), trace.slice(16, 20), trace.slice(20)];
  return `x-request-id: ${parts.join('-')}\r\ntraceparent: 00-${trace}-${hex.slice(2 * traceBytes)}-00\r\n`;
}
