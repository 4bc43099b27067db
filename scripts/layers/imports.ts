/** Reads what a source file imports and exports, from its text. Relies on the formatter: statements begin their line. */

/** One import of another file or package, of any form. */
export interface Import {
  /** As written: `./x.ts`, `node:fs`, `zod`. */
  readonly specifier: string;
  readonly line: number;
  /** Gone after compilation: `import type`, `export type … from`, or braces with nothing but `type` in them. */
  readonly isTypeOnly: boolean;
  /** The names that are taken; '*' for all of them, as `import()`, `import * as` and `export * from` do. */
  readonly names: readonly string[];
}

export interface SourceImports {
  readonly imports: readonly Import[];
  /** Lines with an import whose target stands nowhere in the text: `import(path)`. */
  readonly unreadable: readonly number[];
}

/** In the order of lines. */
export function readImports(source: string): SourceImports {
  const code = readCode(source);
  const imports: Import[] = [];
  const unreadable: number[] = [];
  for (const { index } of code.blank.matchAll(/^(?:import|export)\b(?!\()/gm)) {
    const [, clause = '', specifier] = importStatement.exec(code.text.slice(index)) ?? [];
    if (specifier !== undefined) imports.push({ specifier, line: code.lineAt(index), ...readClause(clause) });
  }
  for (const { index } of code.blank.matchAll(/\bimport\(/g)) {
    const [, specifier] = importCall.exec(code.text.slice(index)) ?? [];
    if (specifier === undefined) unreadable.push(code.lineAt(index));
    else imports.push({ specifier, line: code.lineAt(index), isTypeOnly: false, names: ['*'] });
  }
  return { imports: imports.sort((a, b) => a.line - b.line), unreadable };
}

/** With `import './x.ts'` the clause is empty; a declaration that is exported has no `from` before its `;`, `=` or `(`. */
const importStatement = /^(?:import|export)\b(?:([^'"`;=(]*?)\bfrom)?\s*['"]([^'"\n]+)['"]/;
const importCall = /^import\(\s*['"]([^'"\n]+)['"]/;

export interface Export {
  readonly name: string;
  readonly line: number;
  readonly isType: boolean;
}

const declaration =
  /^export (?:declare )?(?:abstract )?(?:async )?(const enum|function\*?|const|let|class|interface|type|enum) (\w+)/gm;

/** Every name that is declared for other files. What is only passed on (`export … from`) is an import. */
export function readExports(source: string): readonly Export[] {
  const { blank, lineAt } = readCode(source);
  return [...blank.matchAll(declaration)].map(({ 1: keyword, 2: name = '', index }) => {
    return { name, line: lineAt(index), isType: keyword === 'interface' || keyword === 'type' };
  });
}

/** The text without its comments, and the same without what stands in its strings: line for line, letter for letter. */
export function readCode(source: string) {
  const text = source.replace(token, (found) => (isComment(found) ? blanked(found) : found));
  const blank = text.replace(token, blanked);
  return { text, blank, lineAt: (offset: number) => text.slice(0, offset).split('\n').length };
}

/** Comments and strings. A quote in a regular expression begins none unless its line has another one. */
const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`/g;

function isComment(found: string): boolean {
  return found.startsWith('/');
}

function blanked(found: string): string {
  return found.replace(/[^\n]/g, ' ');
}

/** `type { A, B as C }`, `{ type B }`, `* as all`, or nothing at all. */
function readClause(clause: string): Pick<Import, 'isTypeOnly' | 'names'> {
  const [, inner] = /\{([^}]*)\}/.exec(clause) ?? [];
  if (inner === undefined) return { isTypeOnly: /^\s*type\b/.test(clause), names: ['*'] };
  const parts = inner
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const isTypeOnly = /^\s*type\b/.test(clause) || parts.every((part) => part.startsWith('type '));
  return { isTypeOnly, names: parts.map((part) => part.replace(/^type\s+/, '').replace(/\s+as\s.*$/, '')) };
}
