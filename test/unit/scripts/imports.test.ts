import { expect } from 'chai';
import { readExports, readImports } from '../../../scripts/layers/imports.ts';

const rows: readonly { name: string; source: string; want: ReturnType<typeof readImports>['imports'] }[] = [
  {
    name: 'names that are imported',
    source: "import { a, type B, c as d } from './x.ts';",
    want: [{ specifier: './x.ts', line: 1, isTypeOnly: false, names: ['a', 'B', 'c'] }],
  },
  {
    name: 'types, which are imports too',
    source: "import type { A } from './a.ts';\nimport { type B } from './b.ts';",
    want: [
      { specifier: './a.ts', line: 1, isTypeOnly: true, names: ['A'] },
      { specifier: './b.ts', line: 2, isTypeOnly: true, names: ['B'] },
    ],
  },
  {
    name: 'statements of several lines, by the first',
    source: "\nimport {\n  a,\n  b,\n} from './x.ts';",
    want: [{ specifier: './x.ts', line: 2, isTypeOnly: false, names: ['a', 'b'] }],
  },
  {
    name: 'imports for their effect, defaults and namespaces, as all names',
    source: "import './x.ts';\nimport koffi from 'koffi';\nimport * as all from 'y';",
    want: [
      { specifier: './x.ts', line: 1, isTypeOnly: false, names: ['*'] },
      { specifier: 'koffi', line: 2, isTypeOnly: false, names: ['*'] },
      { specifier: 'y', line: 3, isTypeOnly: false, names: ['*'] },
    ],
  },
  {
    name: 'what is passed on',
    source: "export { a } from './x.ts';\nexport type { B } from './y.ts';\nexport * from './z.ts';",
    want: [
      { specifier: './x.ts', line: 1, isTypeOnly: false, names: ['a'] },
      { specifier: './y.ts', line: 2, isTypeOnly: true, names: ['B'] },
      { specifier: './z.ts', line: 3, isTypeOnly: false, names: ['*'] },
    ],
  },
  {
    name: 'imports at run time',
    source: "const { a } =\n  await import('./x.ts');",
    want: [{ specifier: './x.ts', line: 2, isTypeOnly: false, names: ['*'] }],
  },
  {
    name: 'nothing in comments and strings',
    source:
      "/*\nimport './a.ts';\n*/\n// import './b.ts'\nconst text = `\nimport './c.ts';\n`;\nconst sentence = \"import('./d.ts')\";",
    want: [],
  },
  {
    name: 'nothing in what is declared for others',
    source:
      "export const from = 'a';\nexport function read(text = './x.ts'): string {}\nexport interface A {\n  b: 'c';\n}",
    want: [],
  },
];

describe('the reader of imports', () => {
  for (const { name, source, want } of rows) {
    it(`finds ${name}`, () => expect(readImports(source)).to.deep.equal({ imports: want, unreadable: [] }));
  }

  it('names the lines of imports whose target it cannot read', () =>
    expect(readImports("const path = './x.ts';\nawait import(path);")).to.deep.equal({ imports: [], unreadable: [2] }));

  it('finds every export', () =>
    expect(
      readExports(
        'export const a = 1;\nexport async function b() {}\nexport abstract class C {}\nexport interface D {}\nexport type E = 1;\nconst f = 2;',
      ),
    ).to.deep.equal([
      { name: 'a', line: 1, isType: false },
      { name: 'b', line: 2, isType: false },
      { name: 'C', line: 3, isType: false },
      { name: 'D', line: 4, isType: true },
      { name: 'E', line: 5, isType: true },
    ]));
});
