/** Why a resource cannot be used. Thrown while tables are prepared, never while requests are routed. */
export class UnusableError extends Error {
  override readonly name = 'UnusableError';

  /** The sentence begins with where: `routes[2].match.headers[0]: …`. */
  constructor(where: string, sentence: string) {
    super(`${where}: ${sentence}`);
  }
}
