/** What a client is answered to one request after another, an upstream's answer or the agent's own: head, body, and how it ends. */
import type { BodyReader } from '../http1/body-reader.ts';
import { headerKind } from '../http1/header-kind.ts';
import type { HeaderChanges } from '../http1/pass-head.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { ServerConnection } from '../http1/server-connection.ts';
import type { Transport } from '../http1/transport.ts';
import type { RequestFacts } from '../telemetry/request-facts.ts';
import {
  type AnswerFraming,
  answer,
  type HeadChanges,
  writeAnswerBody,
  writeAnswerEnd,
  writeAnswerHead,
  writeInterimHead,
  writeSwitching,
} from './answer.ts';
import { type Refusal, statusOf, writeAnswer } from './local-answer.ts';

export class ClientAnswer {
  readonly #client: ServerConnection;
  readonly #facts: RequestFacts;
  #isForHead = false;
  #isForHttp10 = false;
  #expectsContinue = false;
  #keepAlive = false;
  #framing: AnswerFraming = 'as it came';

  /** `facts`: of the request under way; status and bytes are noted there. */
  constructor(client: ServerConnection, facts: RequestFacts) {
    this.#client = client;
    this.#facts = facts;
  }

  /** To a new request; undefined: to something of which no head could be read. */
  begin(head: RequestHead | undefined): void {
    this.#isForHead = head?.method === 'HEAD';
    this.#isForHttp10 = head?.minorVersion === 0 && head.hasLine;
    this.#expectsContinue = head?.fields.has(headerKind.expect) ?? false;
  }

  /** The final head, with what there is of the body. */
  passHead(head: ResponseHead, body: BodyReader, changes: HeadChanges): void {
    const isForHttp10 = this.#isForHttp10;
    const endsByClosing = isForHttp10 && (head.body === 'chunked' || head.body === 'until-close');
    const keepAlive = this.#mayKeepAlive && !endsByClosing;
    this.#facts.status = head.status;
    this.#keepAlive = keepAlive;
    this.#framing = writeAnswerHead(head, { isForHttp10, keepAlive }, changes);
    writeAnswerBody(head.bytes, body, this.#framing);
    this.#send();
  }

  /** A head before the final one; HTTP/1.0 knows none. */
  passInterim(head: ResponseHead): void {
    if (this.#isForHttp10) return;
    writeInterimHead(head);
    this.#send();
  }

  /** More of the body, as `source` has just read it. */
  passBody(source: Transport, bytes: Buffer, body: BodyReader): void {
    if (this.#framing === 'chunk') {
      writeAnswerBody(bytes, body, this.#framing);
      return this.#send();
    }
    const { from, to, trailers } = body;
    const { transport } = this.#client;
    this.#facts.bytesOut += to - from + (trailers?.length ?? 0);
    transport.relay(source, bytes, from, to);
    if (trailers !== undefined) transport.write(trailers, 0, trailers.length);
  }

  /** The body is complete. */
  end(): void {
    if (this.#framing !== 'chunk') return;
    writeAnswerEnd(this.#framing);
    this.#send();
  }

  /** 101: the connection becomes a tunnel. */
  switchProtocol(head: ResponseHead, changes: HeaderChanges | undefined): void {
    this.#facts.status = head.status;
    writeSwitching(head, changes);
    this.#send();
  }

  /** To CONNECT: the connection becomes a tunnel. */
  establishTunnel(): void {
    this.#facts.status = 200;
    answer.text('HTTP/1.1 200 Connection Established\r\n\r\n');
    this.#send();
  }

  /** The whole answer of the agent itself. */
  refuse(refusal: Refusal, asProblem: boolean): void {
    const keepAlive = this.#mayKeepAlive;
    this.#keepAlive = keepAlive;
    // Where a fault of ours is the reason, something else may have been begun.
    answer.length = 0;
    writeAnswer(answer, refusal, {
      withBody: !this.#isForHead,
      asProblem,
      connection: keepAlive ? (this.#isForHttp10 ? 'keep-alive' : undefined) : 'close',
    });
    this.#facts.status = statusOf(refusal);
    this.#send();
  }

  /** It is complete: the next request may come, if the client was told so. */
  finish(): void {
    this.#client.finish(this.#keepAlive);
  }

  /** What was begun is not completed, and the client can tell. A client of HTTP/1.0 takes any other end for the end of the answer. */
  breakOff(): void {
    // What was being put together belongs to nobody.
    answer.length = 0;
    this.#client.abort(this.#isForHttp10 ? 'reset' : 'close');
  }

  /** A client that waits for leave to send its body may send it after all, or not: nobody knows where its next request begins. */
  get #mayKeepAlive(): boolean {
    return this.#client.mayKeepAlive && (this.#client.isBodyComplete || !this.#expectsContinue);
  }

  #send(): void {
    this.#facts.bytesOut += answer.length;
    this.#client.transport.writeAll(answer);
  }
}
