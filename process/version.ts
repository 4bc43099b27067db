/** The version of this package, from its package.json: in a checkout and in `dist/` it stands in a folder above. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const packageSchema = z.object({ name: z.literal('sluice'), version: z.string() });

export const sluiceVersion = findVersion(import.meta.dirname);

function findVersion(folder: string): string {
  const version = readVersion(join(folder, 'package.json'));
  if (version !== undefined) return version;
  // An installation without its package.json is unusual, but no reason not to run.
  return dirname(folder) === folder ? 'unknown' : findVersion(dirname(folder));
}

function readVersion(path: string): string | undefined {
  try {
    return packageSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).version;
  } catch {
    return undefined;
  }
}
