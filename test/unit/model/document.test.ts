import { expect } from 'chai';
import { maxDocumentBytes, parseDocuments } from '../../../model/document.ts';
import { formatProblem } from '../../../model/problem.ts';
import { resourceKey } from '../../../model/resource.ts';
import { faultsIn, resourcesIn, route, service } from './reading.ts';

const canary = `apiVersion: sluice.dev/v1
kind: Route
metadata: { name: canary }
spec:
  service: reviews
  rules:
    - backends: [ { subset: v1, weight: 90 }, { subset: v2, weight: 10 } ]
`;
const reviews = `apiVersion: sluice.dev/v1
kind: Service
metadata:
  name: reviews
spec: {}
`;
const keysIn = (text: string) => resourcesIn(text).map(resourceKey);

describe('rule files', () => {
  for (const { name, text, want } of [
    { name: 'a YAML document', text: canary, want: ['Route/default/canary'] },
    {
      name: 'several YAML documents',
      text: `${canary}---\n${reviews}`,
      want: ['Route/default/canary', 'Service/default/reviews'],
    },
    {
      name: 'documents with markers, ends and comments',
      text: `# all\n---\n${canary}...\n---\n# none\n---\n`,
      want: ['Route/default/canary'],
    },
    { name: 'a JSON object', text: JSON.stringify(route()), want: ['Route/default/canary'] },
    {
      name: 'JSON that is indented with tabs',
      text: JSON.stringify(route(), null, '\t'),
      want: ['Route/default/canary'],
    },
    {
      name: 'a JSON list of documents',
      text: JSON.stringify([route(), service()], null, 2),
      want: ['Route/default/canary', 'Service/default/reviews'],
    },
    {
      name: 'a YAML list of documents',
      text: `- ${JSON.stringify(route())}\n- ${JSON.stringify(service())}\n`,
      want: ['Route/default/canary', 'Service/default/reviews'],
    },
    { name: 'Windows line ends', text: canary.replaceAll('\n', '\r\n'), want: ['Route/default/canary'] },
    { name: 'a byte order mark', text: `\ufeff${canary}`, want: ['Route/default/canary'] },
    { name: 'an explicit YAML 1.2', text: `%YAML 1.2\n---\n${canary}`, want: ['Route/default/canary'] },
    { name: 'nothing', text: '', want: [] },
    { name: 'comments alone', text: '# later\n---\n\n---\n# never\n', want: [] },
    { name: 'an empty list', text: '[]', want: [] },
  ]) {
    it(`may hold ${name}`, () => expect(keysIn(text)).to.deep.equal(want));
  }

  it('may be none', () => expect(parseDocuments([])).to.deep.equal({ resources: [], problems: [] }));

  const header = 'apiVersion: sluice.dev/v1\nkind: Route\n';
  const missing = ['a.yaml:1:1: metadata: is missing', 'a.yaml:1:1: spec: is missing'];
  const envelope = 'a document must be a map with apiVersion, kind, metadata and spec; found';
  for (const { name, text, want } of [
    {
      name: 'no kind and no version',
      text: 'spec: {}\n',
      want: ['a.yaml:1:1: apiVersion: is missing', 'a.yaml:1:1: kind: is missing'],
    },
    {
      name: 'a kind in lower case',
      text: 'apiVersion: sluice.dev/v1\nkind: route\n',
      want: ['a.yaml:2:7: kind: must be one of Route, Service, TrafficPolicy; found "route"; did you mean "Route"?'],
    },
    {
      name: 'a kind of somebody else',
      text: 'apiVersion: v1\nkind: ConfigMap\n',
      want: [
        'a.yaml:1:13: apiVersion: must be sluice.dev/v1; found "v1"',
        'a.yaml:2:7: kind: must be one of Route, Service, TrafficPolicy; found "ConfigMap"',
      ],
    },
    { name: 'text', text: 'hello\n', want: [`a.yaml:1:1: ${envelope} "hello"`] },
    { name: 'a number', text: '42', want: [`a.yaml:1:1: ${envelope} 42`] },
    { name: 'null', text: '---\nnull\n', want: [`a.yaml:2:1: ${envelope} null`] },
    {
      name: 'a list with other things than documents',
      text: '- 1\n- [2]\n',
      want: [`a.yaml:1:3: ${envelope} 1`, `a.yaml:2:3: ${envelope} a list`],
    },
    { name: 'a document that stops after its kind', text: header, want: missing },
    {
      name: 'a field without value',
      text: canary.replace('service: reviews', 'service:'),
      want: ['a.yaml:5:3: spec.service: has no value; must be text'],
    },
    {
      name: 'an unknown field',
      text: canary.replace('metadata: { name: canary }', 'metadata: { name: canary, annotations: {} }'),
      want: ['a.yaml:3:27: metadata.annotations: unknown field "annotations"; allowed here: name, namespace, labels'],
    },
    {
      name: 'several unknown fields, each at its place',
      text: canary.replace('spec:', 'specs: 1\nstatus: {}\nspec:'),
      want: [
        'a.yaml:4:1: specs: unknown field "specs"; did you mean "spec"?',
        'a.yaml:5:1: status: unknown field "status"; allowed here: apiVersion, kind, metadata, spec',
      ],
    },
    {
      name: 'a field given twice',
      text: canary.replace('  service: reviews', '  service: reviews\n  service: ratings'),
      want: ['a.yaml:6:3: spec.service: is given twice in this map'],
    },
    {
      name: 'a field given twice in JSON',
      text: JSON.stringify(route()).replace('{"name"', '{"name":"x","name"'),
      want: ['a.yaml:1:69: metadata.name: is given twice in this map'],
    },
    {
      name: 'an anchor and its alias',
      text: canary.replace('service: reviews', 'service: &s reviews').replace('name: canary', 'name: *s'),
      want: [
        'a.yaml:3:19: metadata.name: YAML aliases (*name) are not supported; write the value out',
        'a.yaml:5:15: spec.service: YAML anchors (&s) are not supported; remove it',
      ],
    },
    {
      name: 'a tag',
      text: canary.replace('service: reviews', 'service: !!str reviews'),
      want: ['a.yaml:5:18: spec.service: YAML tags ("!!str") are not supported; text goes in quotes'],
    },
    {
      name: 'field names that are no text',
      text: canary.replace('spec:', '8080: x\n[a]: x\n~: x\n__proto__: x\nspec:'),
      want: [
        'a.yaml:4:1: a field name must be text; put 8080 in quotes',
        'a.yaml:5:1: a field name must be text; found a map or a list',
        'a.yaml:6:1: a field name is missing; if it is meant to be "null", put it in quotes',
        'a.yaml:7:1: __proto__: unknown field "__proto__"',
      ],
    },
    {
      name: 'half of a surrogate pair',
      text: JSON.stringify(route()).replace('reviews', '\\ud83d'),
      want: ['a.yaml:1:93: spec.service: is no valid Unicode text: half of a surrogate pair'],
    },
    {
      name: 'a tab for indentation',
      text: canary.replace('  service', '\tservice'),
      want: [
        'a.yaml:5:1: is no valid YAML: a tab is used for indentation; use spaces',
        'a.yaml:5:11: is no valid YAML: nested mappings are not allowed in compact mappings',
      ],
    },
    {
      name: 'JSON that ends too early',
      text: '{"kind": "Route"',
      want: ['a.yaml:1:17: is no valid YAML: flow map must end with a }'],
    },
    { name: 'a NUL', text: 'kind:\0', want: ['a.yaml:1:6: contains a NUL character; is this UTF-8 text?'] },
    {
      name: 'an escape sequence',
      text: '# ok\n\u001b[31m',
      want: ['a.yaml:2:1: contains the control character U+001B'],
    },
    {
      name: 'YAML 1.1',
      text: '%YAML 1.1\n---\na: yes\n',
      want: ['a.yaml:2:1: is written in YAML 1.1; only 1.2 is supported'],
    },
    {
      name: 'an unknown directive',
      text: `%FOO\n---\n${canary}`,
      want: ['a.yaml:1:1: is no valid YAML: unknown directive %FOO'],
    },
    { name: 'nesting beyond reason', text: '['.repeat(40), want: ['a.yaml:1:34: nested more than 32 levels deep'] },
    {
      name: 'one resource twice',
      text: `${canary}---\n${canary}`,
      want: ['a.yaml:11:19: metadata.name: Route/default/canary stands twice; first at a.yaml:3:19'],
    },
    {
      name: 'one resource twice, with and without its namespace, and faulty too',
      text: `${canary}---\n${canary.replace('name: canary', 'name: canary, namespace: default').replace('90', '-1')}`,
      want: [
        'a.yaml:11:19: metadata.name: Route/default/canary stands twice; first at a.yaml:3:19',
        'a.yaml:15:41: spec.rules[0].backends[0].weight: must be at least 0; found -1',
      ],
    },
  ]) {
    it(`with ${name} are refused, saying where and why`, () => expect(faultsIn(text)).to.deep.equal(want));
  }

  it('name the path of a field that JavaScript would take for its own', () => {
    const text = JSON.stringify([service({ ports: [{ name: 'http', port: 80 }] })]).replace(
      '"http"',
      '"http","__proto__":{}',
    );
    expect(faultsIn(text).map((fault) => fault.replace(/^a\.yaml:1:\d+: /, ''))).to.deep.equal([
      'spec.ports[0].__proto__: unknown field "__proto__"',
    ]);
  });

  for (const { name, file, text, want } of [
    {
      name: 'in words of JSON when its name ends with .json, once',
      file: 'rules/a.json',
      text: '{\n  "kind": "Route"\n  "metadata": {"name": "a"}\n}\n{',
      want: ['rules/a.json:3:3: is not JSON: expected "," or the end of this map or list, found "\\""'],
    },
    { name: 'not at all when it is YAML that JSON would refuse', file: 'a.json', text: canary, want: [] },
  ]) {
    it(`tell where a file goes wrong ${name}`, () =>
      expect(parseDocuments([{ name: file, text }]).problems.map(formatProblem)).to.deep.equal(want));
  }

  it('report everything that is wrong in all documents and files at once', () => {
    const { resources, problems } = parseDocuments([
      { name: 'a.yaml', text: `${canary.replace('90', 'x')}---\na: [\n---\n${canary.replace('canary', 'b')}` },
      { name: 'empty.yaml', text: '# nothing' },
      { name: 'b.json', text: JSON.stringify([route({ port: 1 }, 'c'), route({}, 'b')]) },
    ]);
    expect(problems.map(formatProblem)).to.deep.equal([
      'a.yaml:7:41: spec.rules[0].backends[0].weight: must be a number; found "x"',
      'a.yaml:10:1: is no valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
      'b.json:1:147: spec.port: must be text; found 1; put it in quotes: "1"',
      'b.json:1:215: metadata.name: Route/default/b stands twice; first at a.yaml:13:19',
    ]);
    expect(resources.map(({ resource, file }) => `${file} ${resourceKey(resource)}`)).to.deep.equal([
      'a.yaml Route/default/b',
    ]);
  });

  it('tell where each value of a resource stands, or what is around it', () => {
    const { resources } = parseDocuments([{ name: 'a.yaml', text: `# one\n---\n${canary}` }]);
    const at = (...path: (string | number)[]) => {
      const { line, column } = resources[0]?.locate(path) ?? { line: 0, column: 0 };
      return `${line}:${column}`;
    };
    expect([
      at(),
      at('spec'),
      at('spec', 'service'),
      at('spec', 'port'),
      at('spec', 'rules', 0, 'backends'),
      at('spec', 'rules', 0, 'backends', 1, 'weight'),
      at('spec', 'rules', 7, 'backends'),
      at('constructor', 'name'),
    ]).to.deep.equal(['3:1', '6:1', '7:12', '6:1', '9:7', '9:69', '8:3', '3:1']);
  });

  it('of a list know where each resource stands', () => {
    const { resources } = parseDocuments([{ name: 'a.json', text: JSON.stringify([route(), service()], null, 1) }]);
    expect(resources.map(({ locate }) => locate(['metadata', 'name']).line)).to.deep.equal([6, 25]);
  });

  it('larger than 4 MiB are refused, counted in bytes', () => {
    const comment = (bytes: number) => `#${'é'.repeat((bytes - 1) / 2)}`;
    expect(faultsIn(comment(maxDocumentBytes - 1))).to.deep.equal([]);
    expect(faultsIn(comment(maxDocumentBytes + 1))).to.deep.equal([
      'a.yaml:1:1: is larger than 4 MiB; split it into several files',
    ]);
  });

  it('name the first 1,000 faults and say that there are more', () => {
    const faults = faultsIn('a: 1\n---\n'.repeat(1_000));
    expect(faults).to.have.length(1_001);
    expect(faults.at(-1)).to.match(/^a\.yaml:\d+:\d+: there are more faults in this file; repair these first$/);
  });

  // Each of these is small to send; none may hold up a server that reads it.
  const mebibytes = (text: string) => text.repeat(Math.floor((4 * 1024 * 1024) / text.length));
  for (const [name, text] of [
    ['open brackets', mebibytes('[')],
    ['closing brackets', mebibytes(']')],
    ['open braces', mebibytes('{a: ')],
    ['nested list items', mebibytes('- ')],
    ['explicit keys', mebibytes('? ')],
    ['documents', mebibytes('---\n')],
    ['ends of documents', mebibytes('...\n')],
    ['directives', mebibytes('%a\n')],
    ['anchors', mebibytes('&a ')],
    ['aliases', mebibytes('- *a\n')],
    ['tags', mebibytes('- !a b\n')],
    ['line feeds', mebibytes('\n')],
    ['fields of one map', Array.from({ length: 100_000 }, (_, index) => `k${index}: 1\n`).join('')],
    ['faults in one list', `kind: Route\nspec: {rules: [${'{nam: 1},'.repeat(60_000)}]}`],
    ['faulty documents', mebibytes('a: 1\n---\n')],
    [
      'a laughing billion',
      `a: &a [x]\n${'abcdefghij'.replaceAll(/./g, (key) => `${key}${key}: &${key}${key} [*a, *a]\n`)}`,
    ],
  ] as const) {
    it(`made of ${name} are refused in reasonable time`, function () {
      this.timeout(15_000);
      expect(faultsIn(text)).to.have.length.within(1, 1_001);
    });
  }

  it('that are not even text are refused', () => {
    // What JavaScript may hand over whatever the types say.
    for (const garbage of [undefined, null, 1, {}, ['a']]) {
      expect(faultsIn(garbage as unknown as string)).to.deep.equal(['a.yaml:1:1: is not text']);
    }
  });
});
