/** From the bytes of a client to a question, or to what has to be said instead. Decodes no more than that needs. */
import {
  classIn,
  flag,
  headerBytes,
  nameBytes,
  opcodeOf,
  ownUdpBytes,
  plainUdpBytes,
  recordType,
  responseCode,
} from './protocol.ts';
import { readRecord } from './records.ts';

/** What a client says of itself by EDNS(0). */
export interface Edns {
  /** What it takes over UDP, as it says. */
  readonly udpBytes: number;
  /** It wants signatures (the bit DO). */
  readonly isDnssecOk: boolean;
}

export interface Query {
  /** The whole message; its question is from byte 12 to `questionEnd`. */
  readonly bytes: Buffer;
  readonly flags: number;
  readonly questionEnd: number;
  /** The bytes of the question, its name in lower case, a character each: equal for equal questions. */
  readonly key: string;
  readonly type: number;
  readonly edns: Edns | undefined;
}

/** A message that is answered with a code alone. */
export interface Refusal {
  readonly bytes: Buffer;
  readonly code: number;
  readonly edns: Edns | undefined;
  /** Behind the question if that could be read, else behind the header. */
  readonly questionEnd: number;
}

/** Undefined for what is not answered: no whole header, or a response. */
export function readQuery(bytes: Buffer): Query | Refusal | undefined {
  if (bytes.length < headerBytes) return undefined;
  const flags = bytes.readUInt16BE(2);
  if ((flags & flag.QR) !== 0) return undefined;
  const refuse = (code: number, edns?: Edns, questionEnd: number = headerBytes) => ({ bytes, code, edns, questionEnd });
  if (opcodeOf(flags) !== 0) return refuse(responseCode.NOTIMP);
  if (bytes.readUInt16BE(4) !== 1) return refuse(responseCode.FORMERR);
  const typeAt = readName(bytes);
  if (typeAt < 0 || typeAt + 4 > bytes.length) return refuse(responseCode.FORMERR);
  const questionEnd = typeAt + 4;
  const edns = readEdns(bytes, questionEnd);
  if (edns === 'malformed') return refuse(responseCode.FORMERR, undefined, questionEnd);
  if (edns?.version) return refuse(responseCode.BADVERS, edns, questionEnd);

  const type = bytes.readUInt16BE(typeAt);
  if (type === recordType.OPT || type === 0) return refuse(responseCode.FORMERR, edns, questionEnd);
  const isZoneTransfer = type === recordType.AXFR || type === recordType.IXFR;
  if (isZoneTransfer || bytes.readUInt16BE(typeAt + 2) !== classIn) {
    return refuse(responseCode.REFUSED, edns, questionEnd);
  }
  lowered.set(bytes.subarray(typeAt, questionEnd), typeAt - headerBytes);
  return { bytes, flags, questionEnd, key: lowered.toString('latin1', 0, questionEnd - headerBytes), type, edns };
}

/** How long an answer over UDP may be. A size below 512 means 512 (RFC 6891, 6.2.3). */
export function udpLimit(edns: Edns | undefined): number {
  return edns === undefined ? plainUdpBytes : Math.min(ownUdpBytes, Math.max(plainUdpBytes, edns.udpBytes));
}

/**
 * The name of a question as text in lower case, without a "." at its end; '' is the root. A character stands for a byte:
 * what is no part of a host's or a service's name becomes U+FFFD, which equals no name.
 */
export function nameText(key: string): string {
  let text = '';
  for (let at = 0, length = key.charCodeAt(0); length > 0; length = key.charCodeAt(at)) {
    const label = key.slice(at + 1, at + 1 + length).replace(/[^a-z0-9_-]/g, '\ufffd');
    text = text === '' ? label : `${text}.${label}`;
    at += length + 1;
  }
  return text;
}

/** One message is read at a time, so one place for the name in lower case does. */
const lowered = Buffer.alloc(nameBytes + 4);

/** Copies the name in lower case; answers where it ends, or -1. In a question there is nothing that a pointer could lead to. */
function readName(bytes: Buffer): number {
  let at = headerBytes;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63) return -1;
    const next = at + 1 + length;
    if (next > bytes.length || next - headerBytes > nameBytes - (length === 0 ? 0 : 1)) return -1;
    lowered[at - headerBytes] = length;
    for (let index = at + 1; index < next; index++) {
      const octet = bytes[index] ?? 0;
      lowered[index - headerBytes] = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    }
    if (length === 0) return next;
    at = next;
  }
}

function readEdns(bytes: Buffer, from: number): (Edns & { readonly version: number }) | 'malformed' | undefined {
  const beforeAdditional = bytes.readUInt16BE(6) + bytes.readUInt16BE(8);
  const records = beforeAdditional + bytes.readUInt16BE(10);
  let found: (Edns & { readonly version: number }) | undefined;
  let at = from;
  for (let index = 0; index < records; index++) {
    const record = readRecord(bytes, at);
    if (record === undefined) return 'malformed';
    at = record.end;
    if (record.type !== recordType.OPT) continue;
    // One, of the root, and at its place (RFC 6891, 6.1.1).
    if (found !== undefined || bytes[record.start] !== 0 || index < beforeAdditional) return 'malformed';
    found = {
      udpBytes: bytes.readUInt16BE(record.ttlAt - 2),
      isDnssecOk: (bytes.readUInt16BE(record.ttlAt + 2) & 0x8000) !== 0,
      version: bytes[record.ttlAt + 1] ?? 0,
    };
  }
  return found;
}
