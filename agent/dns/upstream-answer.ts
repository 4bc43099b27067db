/** From the bytes of a resolver to what is kept and passed on of them. Decodes no record but for what says how long it holds. Pure. */
import { flag, headerBytes, recordType, responseCode } from './protocol.ts';
import { readRecord, skipName } from './records.ts';

export interface UpstreamAnswer {
  /** Without its OPT record, which is between neighbours, and what followed it. */
  readonly bytes: Buffer;
  readonly flags: number;
  /** With the upper bits that stand in the OPT record. */
  readonly code: number;
  /** Where TTLs stand in `bytes`: they are lowered by the age of the answer. */
  readonly ttlsAt: readonly number[];
  /** How long it may be kept, in seconds; 0 for what may not. */
  readonly freshSeconds: number;
}

/** Longer is not kept, whatever it says (RFC 8767 names a week; a day suffices for a cache in memory). */
const longestFreshSeconds = 86_400;
/** Of what is not there (RFC 2308, 5). */
const longestNegativeSeconds = 10_800;

/** Undefined when it is malformed. Its question has been compared already. */
export function readUpstreamAnswer(bytes: Buffer, type: number): UpstreamAnswer | undefined {
  if (bytes.length < headerBytes) return undefined;
  const flags = bytes.readUInt16BE(2);
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  if (questions !== 1 || answers === undefined || authorities === undefined || additionals === undefined) {
    return undefined;
  }
  let at = skipName(bytes, headerBytes) + 4;
  if (at < headerBytes + 4 || at > bytes.length) return undefined;
  const ttlsAt: number[] = [];
  let code = flags & 0xf;
  let isNegative = true;
  let freshSeconds = longestFreshSeconds;
  let negativeSeconds = 0;
  let kept = 0;
  for (let index = 0; index < answers + authorities + additionals; index++) {
    const record = readRecord(bytes, at);
    if (record === undefined) return undefined;
    if (record.type === recordType.OPT) {
      if (index < answers + authorities) return undefined;
      code |= (bytes[record.ttlAt] ?? 0) << 4;
      // Pointers behind it would have to be moved; what stands there is additional only.
      break;
    }
    const ttl = readTtl(bytes, record.ttlAt);
    freshSeconds = Math.min(freshSeconds, ttl);
    if (index < answers && (record.type === type || type === recordType.ANY)) isNegative = false;
    const isInAuthority = index >= answers && index < answers + authorities;
    if (isInAuthority && record.type === recordType.SOA && record.end - record.dataAt >= 22) {
      // The last of its numbers: how long it may be remembered that there is nothing.
      negativeSeconds = Math.min(ttl, readTtl(bytes, record.end - 4), longestNegativeSeconds);
    }
    ttlsAt.push(record.ttlAt);
    at = record.end;
    kept = index + 1;
  }
  const own = Buffer.from(bytes.subarray(0, at));
  own.writeUInt16BE(Math.max(0, kept - answers - authorities), 10);
  const isKept = (flags & flag.TC) === 0 && (code === responseCode.NOERROR || code === responseCode.NXDOMAIN);
  if (isNegative || code === responseCode.NXDOMAIN) freshSeconds = Math.min(freshSeconds, negativeSeconds);
  return { bytes: own, flags, code, ttlsAt, freshSeconds: isKept ? freshSeconds : 0 };
}

/** One with its highest bit set means 0 (RFC 2181, 8). */
function readTtl(bytes: Buffer, at: number): number {
  const ttl = bytes.readUInt32BE(at);
  return ttl > 0x7fff_ffff ? 0 : ttl;
}
