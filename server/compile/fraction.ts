/** Percent on the wire. */
import type { Input } from '../../proto/load.ts';
import { type FractionalPercent, FractionalPercentDenominatorType } from '../../proto/types.ts';

/** Millionths, which is what the four digits behind the point of a document need. */
export function compileFraction(percent: number): Input<FractionalPercent> {
  return { numerator: Math.round(percent * 1e4), denominator: FractionalPercentDenominatorType.MILLION };
}
