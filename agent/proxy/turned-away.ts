/** When an inbound says that its application saw nothing of a request, another instance may be asked: it is no retry. */
import { headerKind } from '../http1/header-kind.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { Attempt } from '../telemetry/route-counters.ts';
import type { Target } from './destination.ts';
import { isReason, type Reason, reasons } from './local-answer.ts';

export interface TurnedAway {
  readonly attempt: Attempt;
  /** Continues a sentence that begins with the address. */
  readonly fault: string;
}

const turnedAway: { readonly [Of in Reason]?: TurnedAway } = {
  'wrong-instance': { attempt: 'wrong-instance', fault: ' is another instance now' },
  'upstream-connect-failure': { attempt: 'app-unreachable', fault: ': its application takes no connections' },
};

/** The application behind an inbound ended its connection before it answered: the same as if it had been asked directly. */
export function wasResetBehind({ identity }: Target, { status, fields }: ResponseHead): boolean {
  const index = fields.indexOf(headerKind['x-sluice-reason']);
  if (index === -1 || identity === '') return false;
  const reason = fields.value(index);
  return (reason === 'upstream-reset' || reason === 'upstream-malformed') && status === reasons[reason].status;
}

/**
 * The word of an agent, not of an application: inbounds take the reason header off what applications answer, and an
 * instance without identity has none.
 */
export function turnedAwayBy({ identity }: Target, { status, fields }: ResponseHead): TurnedAway | undefined {
  const index = fields.indexOf(headerKind['x-sluice-reason']);
  if (index === -1 || identity === '') return undefined;
  const reason = fields.value(index);
  return isReason(reason) && status === reasons[reason].status ? turnedAway[reason] : undefined;
}
