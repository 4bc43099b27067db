/**
 * A question as it is put to a resolver, and whether an answer is the answer to it. Somebody who does not see the question
 * has to guess its id, the port that it came from, and which of its letters are capitals (0x20).
 */
import { flag, headerBytes, optBytes, upstreamUdpBytes, writeOpt } from './protocol.ts';

/** What a client asks: equal questions of several clients are one. */
export interface Wanted {
  /** Name, type and class. */
  readonly question: Buffer;
  readonly type: number;
  readonly isRecursionDesired: boolean;
  readonly isCheckingDisabled: boolean;
  /** It wants to know whether the resolver has checked the signatures. */
  readonly isAuthenticDataAsked: boolean;
  readonly isDnssecOk: boolean;
}

/** As many random bytes, not to be guessed from earlier ones. */
export type RandomBytes = (count: number) => Uint8Array;

/** `hasEdns` false: for a resolver that does not know EDNS. */
export function writeUpstreamQuery(wanted: Wanted, random: RandomBytes, hasEdns: boolean): Buffer {
  const { question } = wanted;
  const query = Buffer.alloc(headerBytes + question.length + (hasEdns ? optBytes : 0));
  query.set(random(2), 0);
  const flags =
    (wanted.isRecursionDesired ? flag.RD : 0) |
    (wanted.isCheckingDisabled ? flag.CD : 0) |
    (wanted.isAuthenticDataAsked ? flag.AD : 0);
  query.writeUInt16BE(flags, 2);
  query.writeUInt16BE(1, 4);
  query.writeUInt16BE(hasEdns ? 1 : 0, 10);
  question.copy(query, headerBytes);
  mixCase(query.subarray(headerBytes, headerBytes + question.length - 4), random);
  if (hasEdns) {
    const opt = { udpBytes: upstreamUdpBytes, code: 0, isDnssecOk: wanted.isDnssecOk };
    writeOpt(query, headerBytes + question.length, opt);
  }
  return query;
}

/**
 * `other-case`: right but for capitals, from a resolver that does not keep them or from a guesser. `without-question`: the
 * id and a code, as servers say that cannot read what they were asked. `stranger`: no answer to this.
 */
export function judgeAnswer(
  answer: Buffer,
  query: Buffer,
  questionBytes: number,
): 'answer' | 'other-case' | 'without-question' | 'stranger' {
  if (answer.length < headerBytes || answer.readUInt16BE(0) !== query.readUInt16BE(0)) return 'stranger';
  const flags = answer.readUInt16BE(2);
  // A response, to a plain query.
  if ((flags & 0xf800) !== flag.QR) return 'stranger';
  if (answer.readUInt16BE(4) === 0 && (flags & 0xf) !== 0) return 'without-question';
  const end = headerBytes + questionBytes;
  if (answer.readUInt16BE(4) !== 1 || answer.length < end) return 'stranger';
  if (answer.compare(query, headerBytes, end, headerBytes, end) === 0) return 'answer';
  for (let at = headerBytes; at < end - 4; at++) {
    if (lower(answer[at] ?? 0) !== lower(query[at] ?? 0)) return 'stranger';
  }
  return answer.compare(query, end - 4, end, end - 4, end) === 0 ? 'other-case' : 'stranger';
}

/** Lengths of labels are below 64, letters above, so no length is taken for one. */
function mixCase(name: Buffer, random: RandomBytes): void {
  const coins = random(Math.ceil(name.length / 8));
  for (let at = 0; at < name.length; at++) {
    const octet = name[at] ?? 0;
    const isLetter = lower(octet) >= 0x61 && lower(octet) <= 0x7a;
    if (isLetter && ((coins[at >> 3] ?? 0) >> (at & 7)) & 1) name[at] = octet ^ 0x20;
  }
}

function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}
