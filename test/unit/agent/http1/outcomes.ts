/** What the parsers make of bytes, as plain values that tables can hold; and of the same bytes in two pieces. */
import { expect } from 'chai';
import { describeFault } from '../../../../agent/http1/fault.ts';
import type { BodyKind } from '../../../../agent/http1/framing.ts';
import { RequestHead, type TargetForm } from '../../../../agent/http1/request-head.ts';
import { type Asked, ResponseHead } from '../../../../agent/http1/response-head.ts';

/** `fault`: its name. */
export type Refused = { readonly fault: string };
export type Incomplete = 'incomplete';

export interface RequestFacts {
  readonly method: string;
  readonly form: TargetForm;
  readonly authority: string;
  readonly path: string;
  readonly query: string;
  readonly version: string;
  readonly headers: readonly string[];
  readonly body: BodyKind;
  readonly length: number;
  readonly keepsAlive: boolean;
  /** What stands behind the head. */
  readonly rest: string;
}

export interface ResponseFacts {
  readonly status: number;
  readonly version: string;
  readonly headers: readonly string[];
  readonly body: BodyKind;
  readonly length: number;
  readonly keepsAlive: boolean;
  readonly isInterim: boolean;
  readonly rest: string;
}

/** Characters are octets. */
export function parseRequest(text: string): RequestFacts | Refused | Incomplete {
  const bytes = Buffer.from(text, 'latin1');
  return requestOutcome(new RequestHead(), { bytes, from: 0, to: bytes.length });
}

export function parseResponse(text: string, asked: Asked = 'other'): ResponseFacts | Refused | Incomplete {
  const bytes = Buffer.from(text, 'latin1');
  return responseOutcome(new ResponseHead(), { bytes, from: 0, to: bytes.length }, asked);
}

interface Stretch {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

function requestOutcome(head: RequestHead, { bytes, from, to }: Stretch): RequestFacts | Refused | Incomplete {
  const end = head.parse(bytes, from, to);
  if (end === 0) return 'incomplete';
  if (end < 0) return { fault: describeFault(end).name };
  return {
    method: head.method,
    form: head.targetForm,
    authority: head.authority,
    path: head.path,
    query: head.query,
    version: `1.${head.minorVersion}`,
    headers: headersOf(head),
    body: head.body,
    length: head.contentLength,
    keepsAlive: head.keepsAlive,
    rest: bytes.toString('latin1', end, to),
  };
}

function responseOutcome(
  head: ResponseHead,
  { bytes, from, to }: Stretch,
  asked: Asked,
): ResponseFacts | Refused | Incomplete {
  const end = head.parse(bytes, from, to, asked);
  if (end === 0) return 'incomplete';
  if (end < 0) return { fault: describeFault(end).name };
  return {
    status: head.status,
    version: `1.${head.minorVersion}`,
    headers: headersOf(head),
    body: head.body,
    length: head.contentLength,
    keepsAlive: head.keepsAlive,
    isInterim: head.isInterim,
    rest: bytes.toString('latin1', end, to),
  };
}

function headersOf({ fields }: RequestHead | ResponseHead): string[] {
  return Array.from({ length: fields.count }, (_, index) => `${fields.name(index)}: ${fields.value(index)}`);
}

/**
 * That the outcome is the same wherever the bytes are cut: with a beginning alone the parser waits, or says already what it
 * says of the whole. The beginning is parsed among other bytes, which must not be read.
 */
export function expectCutsToBeNothing<Facts extends object>(
  text: string,
  parse: (stretch: Stretch) => Facts | Refused | Incomplete,
): void {
  const whole = Buffer.from(text, 'latin1');
  const outcome = parse({ bytes: whole, from: 0, to: whole.length });
  // What lies behind the bytes in a buffer that is used again could be anything, such as the end of a head.
  for (const behind of ['\r\n\r\n', 'x: y\r\n\r\n', '\0\0\0\0']) {
    for (let cut = 1; cut < whole.length; cut++) {
      const bytes = Buffer.concat([Buffer.from('ab\r\n'), whole.subarray(0, cut), Buffer.from(behind, 'latin1')]);
      const early = parse({ bytes, from: 4, to: 4 + cut });
      if (early === 'incomplete') continue;
      expect(withoutRest(early), `cut at ${cut}: ${JSON.stringify(text.slice(0, cut))}`).to.deep.equal(
        withoutRest(outcome),
      );
    }
  }
}

export function expectRequestCutsToBeNothing(text: string): void {
  const head = new RequestHead();
  expectCutsToBeNothing(text, (stretch) => requestOutcome(head, stretch));
}

export function expectResponseCutsToBeNothing(text: string, asked: Asked = 'other'): void {
  const head = new ResponseHead();
  expectCutsToBeNothing(text, (stretch) => responseOutcome(head, stretch, asked));
}

function withoutRest(outcome: object | Incomplete): unknown {
  return typeof outcome === 'object' ? { ...outcome, rest: '' } : outcome;
}
