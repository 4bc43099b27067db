/** What a program loads at its start, by its text. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readImports } from '../../scripts/layers/imports.ts';

/** Every module and package that is loaded with this one, but for what is asked for only later (`await import`). */
export function loadedWith(program: string): Set<string> {
  const loaded = new Set([program]);
  for (const file of loaded) {
    if (!existsSync(file) || !file.endsWith('.ts')) continue;
    const source = readFileSync(file, 'utf8').replaceAll('await import(', 'later(');
    for (const { specifier, isTypeOnly } of readImports(source).imports) {
      if (!isTypeOnly) loaded.add(specifier.startsWith('.') ? join(dirname(file), specifier) : specifier);
    }
  }
  return loaded;
}
