/** Numbers of the DNS protocol (RFC 1035, RFC 6891) that this server knows by name; all others it passes on. */

export const headerBytes = 12;
/** The longest message: its length over TCP has two bytes. */
export const largestMessageBytes = 65_535;
/** What every client takes over UDP, EDNS or not. */
export const plainUdpBytes = 512;
/** What this server takes and sends over UDP with EDNS: its clients are on the same machine, where nothing is fragmented. */
export const ownUdpBytes = 4_096;
/** What resolvers are asked to send over UDP: fits into any path without fragments (DNS flag day 2020). */
export const upstreamUdpBytes = 1_232;
/** Longest name on the wire, with its lengths and the root. */
export const nameBytes = 255;

export const classIn = 1;

export const recordType = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const responseCode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Has more than four bits: the upper ones stand in the OPT record. */
  BADVERS: 16,
} as const;

/** Bits of the second 16-bit word of a header; between them lie the opcode and, lowest, the response code. */
export const flag = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, AD: 0x0020, CD: 0x0010 } as const;

export function opcodeOf(flags: number): number {
  return (flags >> 11) & 0xf;
}

/** An OPT record without options: root, type, our size, upper bits of the code, version 0, the bit DO. */
export function writeOpt(to: Buffer, at: number, opt: { udpBytes: number; code: number; isDnssecOk: boolean }): number {
  to[at] = 0;
  to.writeUInt16BE(recordType.OPT, at + 1);
  to.writeUInt16BE(opt.udpBytes, at + 3);
  to[at + 5] = opt.code >> 4;
  to[at + 6] = 0;
  to.writeUInt16BE(opt.isDnssecOk ? 0x8000 : 0, at + 7);
  to.writeUInt16BE(0, at + 9);
  return at + optBytes;
}

export const optBytes = 11;
