/** Reads the rule files that `-f` names: files, directories with everything beneath, and standard input. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DocumentFile } from '../model/document.ts';
import { type Context, usageError } from './context.ts';

const endings = ['.yaml', '.yml', '.json'];

/** In the given order, directories in the order of names. Names every path that cannot be read, at once. */
export async function readRuleFiles(paths: readonly string[], context: Context): Promise<DocumentFile[]> {
  if (paths.filter((path) => path === '-').length > 1) throw usageError('-f -: standard input can be read only once');
  const files: DocumentFile[] = [];
  const faults: string[] = [];
  for (const path of paths) {
    try {
      files.push(...(await readPath(path, context)));
    } catch (error) {
      faults.push(`-f ${path}: ${error instanceof Error ? reasonOf(error) : String(error)}`);
    }
  }
  if (faults.length > 0) throw usageError(faults.join('\n'));
  return files;
}

async function readPath(path: string, context: Context): Promise<DocumentFile[]> {
  if (path === '-') return [{ name: 'stdin', text: await context.readStdin() }];
  const found = (await stat(path)).isDirectory() ? await ruleFilesBeneath(path) : [path];
  if (found.length === 0) throw new Error(`has no rule files; they end in ${endings.join(', ')}`);
  return Promise.all(found.map(async (name) => ({ name, text: await readText(name) })));
}

async function ruleFilesBeneath(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    // Editors and version control keep their own things in hidden files.
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await stat(path)).isDirectory());
    if (isFolder) found.push(...(await ruleFilesBeneath(path)));
    else if (endings.some((ending) => entry.name.endsWith(ending))) found.push(path);
  }
  return found;
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error(`${path} is not UTF-8 text`, { cause });
  }
}

function reasonOf(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such file or directory';
  if (code === 'EACCES') return 'may not be read';
  return error.message;
}
