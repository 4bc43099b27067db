/** Delays and errors on purpose: Envoy's fault filter, as a route configures it. */
import { type Any, HTTPFault } from '../proto/types.ts';
import { toMilliseconds } from './duration.ts';
import { toPercent } from './percent.ts';
import { UnusableError } from './refusal.ts';

export interface FaultPolicy {
  /** Drawn first, before anything is sent. */
  readonly delay: { readonly ms: number; readonly percent: number } | undefined;
  /** Drawn on its own, after the delay. */
  readonly abort: { readonly status: number; readonly percent: number } | undefined;
}

/** The filter's name in `Route.typed_per_filter_config`. */
export const faultFilter = 'envoy.filters.http.fault';

/** Undefined when nothing is injected. Throws UnusableError on another filter: its part of the rule would be missing. */
export function prepareFault(filters: Readonly<Record<string, Any>>, where: string): FaultPolicy | undefined {
  const unknown = Object.keys(filters).find((name) => name !== faultFilter);
  if (unknown !== undefined)
    throw new UnusableError(where, `has the filter ${unknown}, which this agent does not know`);
  const config = filters[faultFilter];
  if (config === undefined) return undefined;
  if (config.type_url !== HTTPFault.typeUrl) {
    throw new UnusableError(
      where,
      `${faultFilter} is configured by a ${config.type_url}, which this agent does not know`,
    );
  }
  const fault = HTTPFault.decode(config.value);
  const delay = prepareDelay(fault, `${where}.delay`);
  const abort = prepareAbort(fault, `${where}.abort`);
  return delay === undefined && abort === undefined ? undefined : { delay, abort };
}

function prepareDelay({ delay }: HTTPFault, where: string): FaultPolicy['delay'] {
  if (delay === null) return undefined;
  const ms = toMilliseconds(delay.fixedDelay);
  if (ms === 0) throw new UnusableError(where, 'has a kind of delay that this agent does not know');
  const percent = toPercent(delay.percentage, where);
  return percent === 0 ? undefined : { ms, percent };
}

function prepareAbort({ abort }: HTTPFault, where: string): FaultPolicy['abort'] {
  if (abort === null) return undefined;
  const status = abort.httpStatus;
  if (status < 200 || status > 599) throw new UnusableError(where, 'has no HTTP status from 200 to 599');
  const percent = toPercent(abort.percentage, where);
  return percent === 0 ? undefined : { status, percent };
}
