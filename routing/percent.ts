/** envoy.type.v3.FractionalPercent as percent, 0 to 100. */
import { type FractionalPercent, FractionalPercentDenominatorType } from '../proto/types.ts';
import { UnusableError } from './refusal.ts';

const denominators = {
  [FractionalPercentDenominatorType.HUNDRED]: 1e2,
  [FractionalPercentDenominatorType.TEN_THOUSAND]: 1e4,
  [FractionalPercentDenominatorType.MILLION]: 1e6,
};

/** 0 when unset. More than the whole is the whole, as in Envoy. Throws UnusableError on a denominator it does not know. */
export function toPercent(fraction: FractionalPercent | null, where: string): number {
  if (fraction === null) return 0;
  const denominator = denominators[fraction.denominator];
  if (denominator === undefined) throw new UnusableError(where, 'has a denominator that this agent does not know');
  return Math.min((fraction.numerator * 100) / denominator, 100);
}
