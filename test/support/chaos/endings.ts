/**
 * What the access log may say of a request, by what was done to it: its status and its reason, `200 passed`, `502
 * upstream-reset`. Of a client that has gone only that counts: how far its answer had come is anybody's guess.
 */
import { isReason } from '../../../agent/proxy/local-answer.ts';
import type { AccessLogLine } from '../access-log.ts';
import { type DeedName, deeds, type Outcome } from './deeds.ts';

export type Ending = string;

export const clientGone: Ending = 'client-gone';

export function endingOf({ status, reason }: AccessLogLine): Ending {
  return reason === clientGone ? clientGone : `${status ?? 'none'} ${reason ?? 'passed'}`;
}

/**
 * What a client saw, as its own agent must have it. Behind the agent of `inner` stands another one: what that says is for
 * the client's agent an answer that it passes on.
 */
export function endingsSeenAs(outcome: Outcome, service: string): readonly Ending[] {
  if (outcome === 'whole') return ['200 passed'];
  if (outcome === 'cut') return ['200 broken-off'];
  const [status, ...words] = outcome.split(' ');
  const word = words.join(' ');
  if (!isReason(word)) return [`${status} passed`];
  return service === 'inner' ? [outcome, `${status} passed`] : [outcome];
}

/** What may become of a request whose instance does this to it. */
export function endingsOfDeed(deed: DeedName, { service, isSentOnce }: Circumstances): readonly Ending[] {
  const seen: readonly Outcome[] = [...deeds[deed].seen, ...(isSentOnce ? sentOnce : [])];
  return [...new Set([...seen, ...(service === 'wild' ? ofWild : [])].flatMap((each) => endingsSeenAs(each, service)))];
}

export interface Circumstances {
  readonly service: string;
  /** It is not repeated when the connection that it was sent over had just been closed. */
  readonly isSentOnce: boolean;
}

const sentOnce: readonly Outcome[] = ['502 upstream-reset'];

/** Of the service with limits and little time, whatever its instances do: the limits, and the time. */
export const ofWild: readonly Outcome[] = ['503 overflow', '504 timeout', 'cut'];

/**
 * What the agent behind which the application stands must have, by what the caller's agent has. It does not know why its
 * caller has gone.
 */
export function endingsBehind(ending: Ending, outcome: Outcome): readonly Ending[] {
  if (ending === '504 timeout') return [clientGone];
  if (ending === '200 broken-off') return [ending, clientGone];
  return ending === '502 passed' ? [outcome] : [ending];
}
