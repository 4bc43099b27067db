/** The sources of a tree, read once: what each imports, with the file that it means, and what it exports. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { type Export, type Import, readExports, readImports } from './imports.ts';
import { layers } from './table.ts';

export interface Source {
  /** From the top of the tree, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly SourceImport[];
  readonly unreadable: readonly number[];
  readonly exports: readonly Export[];
}

export interface SourceImport extends Import {
  /** Path of the file that is meant, there or not; undefined for a package. */
  readonly target: string | undefined;
}

/** By path. */
export type Sources = ReadonlyMap<string, Source>;

/** All sources in the folders of the table, in the order of paths. */
export function readSources(top: string): Sources {
  const folders = new Set(layers.map(({ path }) => path.split('/')[0] ?? path));
  const paths = readdirSync(top)
    .filter((name) => folders.has(name))
    .flatMap((folder) => readdirSync(join(top, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => relative(top, join(entry.parentPath, entry.name)).split(sep).join('/'));
  return new Map(paths.sort().map((path) => [path, readSource(path, readFileSync(join(top, path), 'utf8'))]));
}

function readSource(path: string, text: string): Source {
  const { imports, unreadable } = readImports(text);
  const targetOf = (specifier: string) =>
    specifier.startsWith('.') ? sourceOf(posix.join(dirname(path), specifier)) : undefined;
  return {
    path,
    text,
    imports: imports.map((each) => ({ ...each, target: targetOf(each.specifier) })),
    unreadable,
    exports: readExports(text),
  };
}

/** Tests of real processes import what was built; what they mean is its source. */
function sourceOf(path: string): string {
  return path.replace(/^dist\/(.*)\.js$/, '$1.ts');
}
