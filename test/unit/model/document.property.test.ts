import { expect } from 'chai';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseDocuments } from '../../../model/document.ts';
import { formatProblem } from '../../../model/problem.ts';
import { canonicalJson, type Resource } from '../../../model/resource.ts';
import { arbitraryResource } from './arbitraries.ts';
import { fuzz } from './fuzz-runs.ts';

/** The parser's promise for any text: it answers, and every place it names is in the text. */
function expectPlacesInside(text: string): void {
  const { resources, problems } = parseDocuments([{ name: 'a.yaml', text }]);
  const lines = text.split('\n');
  const places = [...problems, ...resources.map(({ locate }) => locate(['spec']))];
  for (const { line = 0, column = 0 } of places) {
    expect(line, text).to.be.within(1, lines.length);
    expect(column, text).to.be.within(1, (lines[line - 1] ?? '').length + 1);
  }
  for (const { file, message } of problems) {
    expect(file).to.equal('a.yaml');
    expect(message)
      .to.not.equal('')
      .and.not.match(/\[object|undefined|Invalid input|expected .* received/);
  }
}

/** Text that YAML has opinions about. */
const yamlish = fc
  .array(
    fc.constantFrom(
      ...[
        '\n',
        ' ',
        '  ',
        ': ',
        '- ',
        '? ',
        '{',
        '}',
        '[',
        ']',
        ',',
        '"',
        "'",
        '|',
        '>',
        '&a ',
        '*a',
        '!!str ',
        '#',
        '%',
        '\t',
      ],
      ...[
        '---',
        '...',
        '\\',
        '\r\n',
        '\ufeff',
        '\0',
        '~',
        '0x1',
        '.inf',
        '<<',
        '__proto__',
        'apiVersion',
        'kind',
        'Route',
        'spec',
      ],
      ...['rules', 'backends', 'sluice.dev/v1', 'metadata', 'name', '1', '-1', 'null', 'true', '\ud800', '😀'],
    ),
    { maxLength: 60 },
  )
  .map((words) => words.join(''));

const written = fc.oneof(
  arbitraryResource.map((resource) => stringify(resource)),
  arbitraryResource.map((resource) => JSON.stringify(resource, null, 2)),
);

/** A valid document with a few pieces cut out, doubled or replaced. */
const mutated = fc
  .tuple(
    written,
    fc.array(fc.tuple(fc.nat(), fc.nat(12), fc.oneof(fc.constant(''), yamlish)), { minLength: 1, maxLength: 3 }),
  )
  .map(([text, cuts]) =>
    cuts.reduce((now, [at, length, piece]) => {
      const start = at % (now.length + 1);
      return now.slice(0, start) + piece + now.slice(start + length);
    }, text),
  );

const reversedKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversedKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, reversedKeys(item)] as const)
      .reverse(),
  );
};

function parsed(text: string): Resource[] {
  const { resources, problems } = parseDocuments([{ name: 'a.yaml', text }]);
  expect(problems.map(formatProblem), text).to.deep.equal([]);
  return resources.map(({ resource }) => resource);
}

describe('property: the document parser', () => {
  for (const [name, texts] of [
    ['arbitrary text', fc.string({ unit: 'binary' })],
    ['text that looks like YAML', yamlish],
    ['arbitrary JSON', fc.json()],
    ['mutated valid documents', mutated],
  ] as const) {
    it(`answers ${name} without throwing, with places inside the text`, () => {
      fc.assert(fc.property(texts, expectPlacesInside), fuzz);
    });
  }

  it('reads a canonical resource, written as YAML or as JSON, as the same resource', () => {
    fc.assert(
      fc.property(arbitraryResource, (resource) => {
        expect(parsed(stringify(resource))).to.deep.equal([resource]);
        expect(parsed(JSON.stringify(resource))).to.deep.equal([resource]);
      }),
      fuzz,
    );
  });

  it('makes resources whose canonical JSON does not depend on the order of keys', () => {
    fc.assert(
      fc.property(arbitraryResource, (resource) => {
        const [again] = parsed(JSON.stringify(reversedKeys(resource)));
        expect(again === undefined ? '' : canonicalJson(again)).to.equal(canonicalJson(resource));
      }),
      fuzz,
    );
  });
});
