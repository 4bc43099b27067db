/**
 * Who asks for what in whose name, across services: `x-request-id` and W3C `traceparent` are passed on as they came; a
 * request without them is given them. Nothing is sampled here: the flags of a trace that starts here are 00.
 */
import { randomFillSync } from 'node:crypto';
import type { ByteWriter } from '../http1/byte-writer.ts';
import type { Fields } from '../http1/fields.ts';
import { headerKind } from '../http1/header-kind.ts';

/** Chance is drawn for many requests at once: a draw of 24 bytes costs as much as one of 8 KiB. */
const chance = Buffer.allocUnsafeSlow(8 * 1024);
let used = chance.length;

/** Of a trace and of its first span, in bytes. */
const traceBytes = 16;
const spanBytes = 8;

const digits = '0123456789abcdef';

/** Adds what the request does not have. Both are made of the same number, so a log line leads to its trace. */
export function startTrace(writer: ByteWriter, fields: Fields): void {
  const hasId = fields.has(headerKind['x-request-id']);
  const hasTrace = fields.has(headerKind.traceparent);
  if (hasId && hasTrace) return;
  const from = draw();
  if (!hasId) {
    writer.text('x-request-id: ');
    // The form of a UUID, which is what most tools expect.
    hexadecimal(writer, from, 4);
    writer.text('-');
    hexadecimal(writer, from + 4, 2);
    writer.text('-');
    hexadecimal(writer, from + 6, 2);
    writer.text('-');
    hexadecimal(writer, from + 8, 2);
    writer.text('-');
    hexadecimal(writer, from + 10, 6);
    writer.text('\r\n');
  }
  if (!hasTrace) {
    writer.text('traceparent: 00-');
    hexadecimal(writer, from, traceBytes);
    writer.text('-');
    hexadecimal(writer, from + traceBytes, spanBytes);
    writer.text('-00\r\n');
  }
}

/** Where fresh random bytes stand. Version and variant of a random UUID (RFC 9562) are set in them. */
function draw(): number {
  if (used + traceBytes + spanBytes > chance.length) {
    randomFillSync(chance);
    used = 0;
  }
  const from = used;
  used += traceBytes + spanBytes;
  chance[from + 6] = ((chance[from + 6] ?? 0) & 0x0f) | 0x40;
  chance[from + 8] = ((chance[from + 8] ?? 0) & 0x3f) | 0x80;
  return from;
}

function hexadecimal(writer: ByteWriter, from: number, count: number): void {
  writer.reserve(2 * count);
  const { bytes } = writer;
  let { length } = writer;
  for (let i = from; i < from + count; i++) {
    const octet = chance[i] ?? 0;
    bytes[length++] = digits.charCodeAt(octet >>> 4);
    bytes[length++] = digits.charCodeAt(octet & 15);
  }
  writer.length = length;
}
