import { expect } from 'chai';
import { formatPath, formatProblem, parsePath, quote } from '../../../model/problem.ts';

describe('a problem', () => {
  for (const [problem, text] of [
    [
      { file: 'a.yaml', line: 3, column: 7, path: 'spec.service', message: 'is missing' },
      'a.yaml:3:7: spec.service: is missing',
    ],
    [{ file: 'a.yaml', line: 1, column: 1, path: '', message: 'is not text' }, 'a.yaml:1:1: is not text'],
    [{ path: 'ttl', message: 'is missing' }, 'ttl: is missing'],
    [{ path: '', message: 'is empty' }, 'is empty'],
  ] as const) {
    it(`reads "${text}"`, () => expect(formatProblem(problem)).to.equal(text));
  }

  for (const [path, text] of [
    [[], ''],
    [['spec', 'rules', 2, 'backends'], 'spec.rules[2].backends'],
    [[0, 'kind'], '[0].kind'],
    [['headers', 'x-beta'], 'headers.x-beta'],
    [['query', 'a b', 'exact'], 'query["a b"].exact'],
    [['labels', 'app.kubernetes.io/name'], 'labels["app.kubernetes.io/name"]'],
    [['1'], '["1"]'],
  ] as const) {
    it(`has the path ${JSON.stringify(text)}`, () => {
      expect(formatPath(path)).to.equal(text);
      expect(parsePath(text)).to.deep.equal(path);
    });
  }

  it('quotes text on one line and shortened', () => {
    expect(quote('a\n"b"')).to.equal('"a\\n\\"b\\""');
    expect(quote('x'.repeat(5_000_000))).to.equal(`"${'x'.repeat(80)}…"`);
  });
});
