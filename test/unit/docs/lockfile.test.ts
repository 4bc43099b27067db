import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { z } from 'zod';

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ resolved: z.string().optional(), optionalDependencies: z.record(z.string(), z.string()).optional() }),
  ),
});
const { packages } = lockSchema.parse(
  JSON.parse(readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8')),
);

/** A package below the one that wants it, or beside it, or at the top. */
function isLocked(name: string, wantedBy: string): boolean {
  const parts = wantedBy.split('node_modules/').length - 1;
  return Array.from({ length: parts + 1 }, (_, depth) =>
    wantedBy.split('/node_modules/').slice(0, depth).join('/node_modules/'),
  )
    .map((folder) => `${folder === '' ? '' : `${folder}/`}node_modules/${name}`)
    .some((path) => path in packages);
}

describe('package-lock.json', () => {
  // npm leaves them out when it installs beside what is there, and `npm ci` then fails on every machine.
  it('has the packages of all platforms', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !isLocked(name, path))
        .map((name) => `${path} wants ${name}`),
    );
    expect(missing).to.deep.equal([]);
  });

  it('names no registry', () => {
    const resolved = Object.values(packages).flatMap((each) => each.resolved ?? []);
    expect(resolved).to.deep.equal([]);
  });
});
