/** What a client is told that sent no HTTP/1.1 request. */
import { bodyCutShort, describeFault, fault, headTooSlow } from '../http1/fault.ts';
import type { Reason, Refusal } from './local-answer.ts';

const reasonOf = new Map<number, Reason>([
  [fault.requestLineTooLong, 'target-too-long'],
  [fault.headTooLarge, 'head-too-large'],
  [fault.tooManyHeaders, 'head-too-large'],
  [fault.version, 'http-version'],
]);

/** For logs; '' of what did not arrive. */
export function nameOfFault(number: number): string {
  return number === headTooSlow || number === bodyCutShort ? '' : describeFault(number).name;
}

/** `number`: a fault of a head or a body, or `headTooSlow`. */
export function refusalOf(number: number): Refusal {
  if (number === headTooSlow) {
    return { reason: 'head-too-slow', sentence: 'the head of the request did not arrive in time' };
  }
  const { sentence, section } = describeFault(number);
  return {
    reason: reasonOf.get(number) ?? 'bad-request',
    sentence: `this is no HTTP/1.1 request that can be passed on: ${sentence} (${section})`,
  };
}
