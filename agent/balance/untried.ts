/** The last resort of balancers whose own way of choosing met none but instances that were tried already. */
import type { Candidate } from './balancer.ts';

/** Any that was not tried, by weight; looks at everybody. Undefined when all were. */
export function anyUntried<C extends Candidate>(
  candidates: readonly C[],
  tried: readonly C[],
  random: () => number,
): C | undefined {
  let sum = 0;
  for (const candidate of candidates) if (!tried.includes(candidate)) sum += candidate.weight;
  let point = random() * sum;
  let last: C | undefined;
  for (const candidate of candidates) {
    if (tried.includes(candidate)) continue;
    point -= candidate.weight;
    if (point < 0) return candidate;
    last = candidate;
  }
  return last;
}
