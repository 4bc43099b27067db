/** The version of this package, from its package.json: in a checkout and in `dist/` it stands in a folder above. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const sluiceVersion = findVersion(import.meta.dirname);

function findVersion(folder: string): string {
  const version = readVersion(join(folder, 'package.json'));
  if (version !== undefined) return version;
  // An installation without its package.json is unusual, but no reason not to run.
  return dirname(folder) === folder ? 'unknown' : findVersion(dirname(folder));
}

function readVersion(path: string): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(path, 'utf8'));
    return name === 'sluice' ? String(version) : undefined;
  } catch {
    return undefined;
  }
}
