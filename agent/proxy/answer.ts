/** Writes the head of an upstream's answer as the client gets it, and its body in the client's framing. */
import type { BodyReader } from '../http1/body-reader.ts';
import { ByteWriter } from '../http1/byte-writer.ts';
import { headerKind } from '../http1/header-kind.ts';
import {
  type HeaderChanges,
  ofAgents,
  ofResponseConnection,
  passFields,
  passStatusLine,
  withheld,
} from '../http1/pass-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';

/** How the body goes to the client. `chunk`: the upstream ends it by closing, the client is told by chunks. */
export type AnswerFraming = 'as it came' | 'chunk';

/** What the client is told of its connection. */
export interface ConnectionWords {
  readonly isForHttp10: boolean;
  readonly keepAlive: boolean;
}

/** What a rule, and who answers, say of the head. */
export interface HeadChanges {
  /** An answer of an application, of which no agent has taken what only agents may say. */
  readonly withoutReason: boolean;
  readonly changes: HeaderChanges | undefined;
  readonly setCookie: string | undefined;
}

/** All answers are put together here: what the client's socket cannot take at once is left to it. */
export const answer = new ByteWriter(64 * 1024);

const withheldAlways = withheld(...ofResponseConnection);
const withheldOf = {
  agent: withheldAlways,
  application: withheld(...ofResponseConnection, ...ofAgents),
};
/** RFC 9112, 6.1 and 6.3: no length where there is no body; chunks only where the client reads them. */
const withoutChunks = {
  agent: withheld(...ofResponseConnection, headerKind['transfer-encoding']),
  application: withheld(...ofResponseConnection, headerKind['transfer-encoding'], ...ofAgents),
};
const lengths = [headerKind['content-length'], headerKind['transfer-encoding']];
const withoutLength = {
  agent: withheld(...ofResponseConnection, ...lengths),
  application: withheld(...ofResponseConnection, ...lengths, ...ofAgents),
};

/** The final head and what there is of the body already, as one piece. */
export function writeAnswerHead(head: ResponseHead, words: ConnectionWords, headChanges: HeadChanges): AnswerFraming {
  const { isForHttp10, keepAlive } = words;
  const { withoutReason, changes, setCookie } = headChanges;
  const of = withoutReason ? 'application' : 'agent';
  passStatusLine(answer, head);
  if (head.status === 204) passFields(answer, head, withoutLength[of], changes);
  else passFields(answer, head, isForHttp10 || head.body === 'none' ? withoutChunks[of] : withheldOf[of], changes);
  if (setCookie !== undefined) answer.header('set-cookie', setCookie);
  const framing: AnswerFraming = head.body === 'until-close' && !isForHttp10 ? 'chunk' : 'as it came';
  if (framing === 'chunk') answer.text('transfer-encoding: chunked\r\n');
  if (!keepAlive) answer.text('connection: close\r\n');
  else if (isForHttp10) answer.text('connection: keep-alive\r\n');
  answer.text('\r\n');
  return framing;
}

/** A head before the final one. */
export function writeInterimHead(head: ResponseHead): void {
  passStatusLine(answer, head);
  passFields(answer, head, withoutLength.application, undefined);
  answer.text('\r\n');
}

/** 101: the connection becomes a tunnel. */
export function writeSwitching(head: ResponseHead, changes: HeaderChanges | undefined): void {
  passStatusLine(answer, head);
  passFields(answer, head, withoutLength.application, changes);
  const upgrade = head.fields.indexOf(headerKind.upgrade);
  if (upgrade !== -1) answer.header('upgrade', head.fields.value(upgrade));
  answer.text('connection: upgrade\r\n\r\n');
}

/** A stretch of the body. */
export function writeAnswerBody(bytes: Buffer, body: BodyReader, framing: AnswerFraming): void {
  const { from, to, trailers } = body;
  if (framing === 'chunk' && to > from) {
    answer.hexadecimal(to - from);
    answer.text('\r\n');
    answer.copy(bytes, from, to);
    answer.text('\r\n');
  } else answer.copy(bytes, from, to);
  if (trailers !== undefined) answer.copy(trailers, 0, trailers.length);
}

/** What ends a body that the upstream ended by closing. */
export function writeAnswerEnd(framing: AnswerFraming): void {
  if (framing === 'chunk') answer.text('0\r\n\r\n');
}
