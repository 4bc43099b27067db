/** What helps all have in common. */

/** Ends the help of every command. */
export function example(...lines: string[]): string {
  return `\nExample:\n${lines.map((line) => `  $ sluice ${line}\n`).join('')}`;
}
