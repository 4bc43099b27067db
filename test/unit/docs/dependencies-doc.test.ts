import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import { readSources } from '../../../scripts/layers/sources.ts';
import { sectionOf } from '../../support/fences.ts';

const top = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(top, path), 'utf8');
const page = read('docs/dependencies.md');
const packages = z
  .object({
    scripts: z.record(z.string(), z.string()),
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(read('package.json')));

const rowsOf = (heading: string) =>
  sectionOf(page, heading)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
const namesOf = (heading: string) => rowsOf(heading).map((cells) => cells[1]?.replaceAll('`', ''));

const sources = [...readSources(top).values()];
const isOutside = (path: string) => /^(?:test|scripts|bench)\//.test(path);
const isImported = (name: string, by: typeof sources) =>
  by.some(({ imports }) => imports.some(({ specifier }) => specifier === name || specifier.startsWith(`${name}/`)));
/** Named by a test that reads its files, in a script of package.json, or in the settings of the test runner. */
const isNamed = (name: string) =>
  sources.some(({ path, text }) => isOutside(path) && text.includes(`'${name}/`)) ||
  Object.values(packages.scripts).some((script) => script.split(/[ ']/).includes(binaryOf(name))) ||
  read('.mocharc.json').includes(`=${name}"`);
const binaryOf = (name: string) => ({ '@biomejs/biome': 'biome', typescript: 'tsc' })[name] ?? name;

describe('docs/dependencies.md', () => {
  it('says why each package is here that runs', () =>
    expect(namesOf('## What runs')).to.deep.equal(Object.keys(packages.dependencies)));

  it('says why each package is here that builds and tests', () =>
    expect(namesOf('## What builds and tests')).to.deep.equal(Object.keys(packages.devDependencies)));

  it('has a reason for each', () => {
    const rows = [...rowsOf('## What runs'), ...rowsOf('## What builds and tests')];
    expect(rows.filter((cells) => (cells[2] ?? '').length < 10)).to.deep.equal([]);
  });
});

describe('the dependencies', () => {
  it('that run are all imported by what runs', () => {
    const running = sources.filter(({ path }) => !isOutside(path));
    expect(Object.keys(packages.dependencies).filter((name) => !isImported(name, running))).to.deep.equal([]);
  });

  it('that build and test are all used', () => {
    const isType = (name: string) => name.startsWith('@types/');
    const unused = Object.keys(packages.devDependencies).filter(
      (name) => !isType(name) && !isImported(name, sources) && !isNamed(name),
    );
    expect(unused).to.deep.equal([]);
  });

  it('hold everything that is imported', () => {
    const known = [...Object.keys(packages.dependencies), ...Object.keys(packages.devDependencies)];
    const foreign = sources.flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier, target }) => target === undefined && !specifier.startsWith('node:'))
        .filter(({ specifier }) => !known.some((name) => specifier === name || specifier.startsWith(`${name}/`)))
        .map(({ specifier }) => `${path}: ${specifier}`),
    );
    expect(foreign).to.deep.equal([]);
  });
});
