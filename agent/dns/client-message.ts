/** Answers as a client gets them: with its id, its spelling of the name, its flags, and an OPT record if it sent one. */
import { flag, headerBytes, opcodeOf, optBytes, ownUdpBytes, responseCode, writeOpt } from './protocol.ts';
import type { Query, Refusal } from './query.ts';
import type { UpstreamAnswer } from './upstream-answer.ts';

/** A code and nothing else. */
export function codeMessage(asked: Query | Refusal, code: number): Buffer {
  const { bytes, questionEnd, edns } = asked;
  const message = Buffer.alloc(questionEnd + (edns === undefined ? 0 : optBytes));
  const flags = bytes.readUInt16BE(2);
  bytes.copy(message, 0, 0, 2);
  const kept = flags & (flag.RD | flag.CD);
  message.writeUInt16BE(flag.QR | (opcodeOf(flags) << 11) | kept | flag.RA | (code & 0xf), 2);
  bytes.copy(message, headerBytes, headerBytes, questionEnd);
  message.writeUInt16BE(questionEnd > headerBytes ? 1 : 0, 4);
  addOpt(message, asked, questionEnd, code);
  return message;
}

/** `kept` as `writeMessage` has made it for a question of the same name, in whatever spelling. */
export function ownMessage(query: Query, kept: Buffer): Buffer {
  const { bytes, questionEnd, edns } = query;
  const message = Buffer.allocUnsafe(kept.length + (edns === undefined ? 0 : optBytes));
  kept.copy(message);
  message[0] = bytes[0] ?? 0;
  message[1] = bytes[1] ?? 0;
  // RD is in the upper byte of the flags, CD in the lower one.
  message[2] = (message[2] ?? 0) | ((query.flags & flag.RD) >> 8);
  message[3] = (message[3] ?? 0) | (query.flags & flag.CD);
  // Names that are pointers to the question follow its spelling.
  bytes.copy(message, headerBytes, headerBytes, questionEnd);
  if (edns !== undefined) addOpt(message, query, kept.length, responseCode.NOERROR);
  return message;
}

/** Without records and with TC when it does not fit: the client comes again over TCP. */
export function forwardedMessage(
  query: Query,
  { answer, ageSeconds }: { readonly answer: UpstreamAnswer; readonly ageSeconds: number },
  limitBytes: number,
): Buffer {
  const { bytes, questionEnd, edns } = query;
  // A code of more than four bits cannot be said without OPT.
  if (answer.code > 0xf && edns === undefined) return codeMessage(query, responseCode.SERVFAIL);
  const opt = edns === undefined ? 0 : optBytes;
  const isWhole = answer.bytes.length + opt <= limitBytes;
  const end = isWhole ? answer.bytes.length : questionEnd;
  const message = Buffer.allocUnsafe(end + opt);
  answer.bytes.copy(message, 0, 0, end);
  bytes.copy(message, 0, 0, 2);
  bytes.copy(message, headerBytes, headerBytes, questionEnd);
  const isCut = !isWhole || (answer.flags & flag.TC) !== 0;
  const isAuthenticAsked = (query.flags & flag.AD) !== 0 || edns?.isDnssecOk === true;
  const authentic = isAuthenticAsked ? answer.flags & flag.AD : 0;
  const kept = query.flags & (flag.RD | flag.CD);
  // Not AA: this is no server of that zone.
  message.writeUInt16BE(flag.QR | kept | flag.RA | authentic | (isCut ? flag.TC : 0) | (answer.code & 0xf), 2);
  if (!isWhole) message.fill(0, 6, headerBytes);
  if (isWhole && ageSeconds > 0) {
    for (const at of answer.ttlsAt) message.writeUInt32BE(Math.max(0, message.readUInt32BE(at) - ageSeconds), at);
  }
  addOpt(message, query, end, answer.code);
  return message;
}

function addOpt(message: Buffer, { edns }: Query | Refusal, at: number, code: number): void {
  if (edns === undefined) return;
  message.writeUInt16BE(message.readUInt16BE(10) + 1, 10);
  writeOpt(message, at, { udpBytes: ownUdpBytes, code, isDnssecOk: edns.isDnssecOk });
}
