/** Reads Markdown as far as tests need it: fences with what their first line says, and links. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Fence {
  /** After the backquotes: `sh`, `yaml invalid`. */
  readonly info: string;
  readonly text: string;
  /** Where it opens. */
  readonly line: number;
}

export function fencesOf(page: string): Fence[] {
  return [...page.matchAll(/^```([^\n`]*)\n([\s\S]*?)^```$/gm)].map(({ 1: info = '', 2: text = '', index }) => ({
    info: info.trim(),
    text,
    line: page.slice(0, index).split('\n').length,
  }));
}

/** From a heading to the next one of its level; '' when there is none. */
export function sectionOf(page: string, heading: string): string {
  const [level = ''] = heading.split(' ');
  const [, after = ''] = page.split(`\n${heading}\n`);
  return after.split(new RegExp(`^#{1,${level.length}} `, 'm'))[0] ?? '';
}

export interface Page {
  /** From the top of the checkout. */
  readonly path: string;
  readonly text: string;
}

/** Every page of the project's own, by path. */
export function readPages(top: string): Page[] {
  const paths = readdirSync(top, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile() && entry.name.endsWith('.md')) return [entry.name];
    if (!entry.isDirectory() || /^(?:\.|node_modules$|dist$|data$)/.test(entry.name)) return [];
    return readdirSync(join(top, entry.name), { recursive: true, withFileTypes: true })
      .filter((below) => below.isFile() && below.name.endsWith('.md'))
      .map((below) => relative(top, join(below.parentPath, below.name)));
  });
  return paths.sort().map((path) => ({ path, text: readFileSync(join(top, path), 'utf8') }));
}
