/**
 * When gRPC clients send a request again: they go by status codes. A request that never reached an instance, or that an
 * instance refused before it began with it, they send again unasked, so these two conditions need no word.
 */

/** Google's HTTP statuses of gRPC's codes, of those codes that can be retried. */
const tokenOf: Readonly<Record<string, string>> = {
  reset: 'unavailable',
  '429': 'resource-exhausted',
  '499': 'cancelled',
  '500': 'internal',
  '502': 'unavailable',
  '503': 'unavailable',
  '504': 'deadline-exceeded',
};

const unasked: ReadonlySet<string> = new Set(['connect-failure', 'refused']);

/** `tokens` are those of `retry_on`, sorted; `unknown` the conditions that no gRPC code stands for. */
export function retryConditions(on: readonly string[]): { readonly tokens: string[]; readonly unknown: string[] } {
  const others = on.filter((condition) => !unasked.has(condition));
  const known = others.filter((condition) => Object.hasOwn(tokenOf, condition));
  const tokens = new Set(known.map((condition) => tokenOf[condition] ?? ''));
  return { tokens: [...tokens].sort(), unknown: others.filter((condition) => !known.includes(condition)) };
}
