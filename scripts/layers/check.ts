/** Holds sources against the table: every fault with its file, line, arrow and rule. Pure. */
import { findCycles } from './cycles.ts';
import { readCode } from './imports.ts';
import type { Source, Sources } from './sources.ts';
import { homes, impureWords, type Layer, layers, outside, pureNames, worldly } from './table.ts';

export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** In the order of files and lines. */
export function findFaults(sources: Sources): Fault[] {
  const faults = [...sources.values()].flatMap((source) => [
    ...unreadableImports(source),
    ...wrongArrows(source, sources),
    ...wrongPackages(source),
    ...wrongWords(source),
  ]);
  return [...faults, ...wrongCycles(sources)].sort((a, b) => compare(a.file, b.file) || a.line - b.line);
}

/** Values that no other file takes. Types are often there to be read, as the options of a function are. */
export function findUnusedExports(sources: Sources): Fault[] {
  const taken = new Map<string, Set<string>>();
  for (const { imports } of sources.values()) {
    for (const { target = '', names } of imports) {
      taken.set(target, new Set([...(taken.get(target) ?? []), ...names]));
    }
  }
  return [...sources.values()].flatMap(({ path, exports }) => {
    const names = taken.get(path) ?? new Set();
    return exports
      .filter(({ name, isType }) => !isType && !names.has(name) && !names.has('*'))
      .map(({ name, line }) => ({ file: path, line, message: `exports ${name}, which nobody imports` }));
  });
}

function unreadableImports({ path, unreadable }: Source): Fault[] {
  const message = 'the target of this import() cannot be read; write it as text';
  return unreadable.map((line) => ({ file: path, line, message }));
}

function wrongArrows({ path, imports }: Source, sources: Sources): Fault[] {
  const layer = layerOf(path);
  if (layer === undefined) return [{ file: path, line: 1, message: 'lies in no folder of scripts/layers/table.ts' }];
  return imports.flatMap(({ target, line }) => {
    if (target === undefined) return [];
    if (!sources.has(target)) return [{ file: path, line, message: `imports ${target}, which is not there` }];
    return mayImport(layer, target) ? [] : [noArrow(path, line, layer, target)];
  });
}

function mayImport(layer: Layer, target: string): boolean {
  if (layer.mayImport === 'anything' || layerOf(target) === layer) return true;
  return layer.mayImport.some((allowed) => liesUnder(target, allowed));
}

function wrongPackages({ path, imports }: Source): Fault[] {
  const layer = layerOf(path);
  return imports.flatMap(({ specifier, target, line, names }) => {
    const name = packageOf(specifier);
    if (target !== undefined || names.every((each) => pureNames[name]?.includes(each))) return [];
    if (layer?.packages && !layer.packages.includes(name)) return [noArrow(path, line, layer, specifier)];
    const home = homes.find((each) => each.name === name);
    if (!home || [...home.paths, ...outside].some((folder) => liesUnder(path, folder))) return [];
    return [{ file: path, line, message: `${specifier} belongs to ${home.paths.join(', ')}: ${home.rule}` }];
  });
}

function wrongWords({ path, text }: Source): Fault[] {
  const layer = layerOf(path);
  const isWorldly = [...worldly.paths, ...outside].some((folder) => liesUnder(path, folder));
  const [words, rule] = layer?.isPure
    ? [impureWords, `${layer.path} is pure: ${layer.rule}`]
    : [worldly.words, worldly.rule];
  if (isWorldly) return [];
  const lines = readCode(text).blank.split('\n');
  return lines.flatMap((code, index) => {
    const [found] = words.exec(code) ?? [];
    return found === undefined ? [] : [{ file: path, line: index + 1, message: `${found}: ${rule}` }];
  });
}

function wrongCycles(sources: Sources): Fault[] {
  return findCycles(sources).map(({ files, closing }) => ({
    file: files.at(-1) ?? '',
    line: closing.line,
    message:
      `${closing.isTypeOnly ? 'a type closes' : 'closes'} the cycle ${[...files, files[0]].join(' -> ')}: ` +
      'files that need each other can only be understood together',
  }));
}

function noArrow(file: string, line: number, { path, rule }: Layer, target: string): Fault {
  return { file, line, message: `${path} -> ${target} is no arrow: ${rule}` };
}

/** The longest entry of the table that the file lies under. */
function layerOf(path: string): Layer | undefined {
  return layers
    .filter((layer) => liesUnder(path, layer.path))
    .sort((a, b) => b.path.length - a.path.length)
    .at(0);
}

function liesUnder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** `ajv/dist/2020.js` is of `ajv`, `@grpc/grpc-js/x` of `@grpc/grpc-js`, `node:fs/promises` of `node:fs`. */
function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
