/** Answers as text: tables for people, JSON and YAML for programs. Nothing from the network reaches a terminal as a control sequence. */
import type { Context, Screen } from './context.ts';

export const outputs = ['table', 'json', 'yaml'] as const;
export type Output = (typeof outputs)[number];

export function isOutput(text: unknown): text is Output {
  return outputs.some((output) => output === text);
}

const codes = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof codes;

export function paint(screen: Screen, colour: Colour | undefined, text: string): string {
  return screen.hasColours && colour !== undefined ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
}

/** One line, printable. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');
}

export interface Cell {
  readonly text: string;
  readonly colour?: Colour;
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function table(screen: Screen, head: readonly string[], rows: readonly (readonly (string | Cell)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)));
  const shown = cells.map((row) => row.map((cell) => ({ ...cell, text: printable(cell.text) || '-' })));
  const widths = head.map((title, column) =>
    Math.max(title.length, ...shown.map((row) => row[column]?.text.length ?? 0)),
  );
  const line = (row: readonly Cell[]): string =>
    row
      .map(({ text, colour }, column) => {
        const padding = column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - text.length + 2);
        return paint(screen, colour, text) + padding;
      })
      .join('');
  const titles = head.map((text): Cell => ({ text, colour: 'dim' }));
  return [titles, ...shown].map((row) => `${line(row)}\n`).join('');
}

/** `text` is what a person gets; programs get the answer itself. */
export async function print({ out }: Context, output: Output, body: unknown, text: () => string): Promise<void> {
  if (output === 'table') out.write(text());
  else if (output === 'json') out.write(`${JSON.stringify(body, null, 2)}\n`);
  else {
    // What writes YAML is loaded for who asks for it: it is as much code as the rest of a command.
    const { stringify } = await import('yaml');
    out.write(stringify(body, { aliasDuplicateObjects: false }));
  }
}

/** `1 agent`, `2 agents`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

const stateColours: Readonly<Record<string, Colour>> = {
  current: 'green',
  accepted: 'green',
  passing: 'green',
  pending: 'yellow',
  starting: 'yellow',
  draining: 'yellow',
  lost: 'yellow',
  disconnected: 'yellow',
  rejected: 'red',
  failing: 'red',
  'foreign-store': 'red',
  'older-store': 'red',
};

/** A state in its colour. */
export function state(text: string): Cell {
  const colour = stateColours[text];
  return colour === undefined ? { text } : { text, colour };
}
