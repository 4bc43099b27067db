import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { findConflicts } from '../../../model/conflicts.ts';
import { parseDocuments } from '../../../model/document.ts';
import { formatProblem } from '../../../model/problem.ts';

const page = readFileSync(new URL('../../../docs/rules.md', import.meta.url), 'utf8');

interface Fence {
  readonly info: string;
  readonly text: string;
  /** Line of the page where the fence opens. */
  readonly line: number;
}

const fences: Fence[] = [...page.matchAll(/^```([a-z ]+)\n([\s\S]*?)^```$/gm)].map(
  ({ 1: info = '', 2: text = '', index }) => ({
    info,
    text,
    line: page.slice(0, index).split('\n').length,
  }),
);

const parse = ({ text }: Fence) => parseDocuments([{ name: 'rules.yaml', text }]);

describe('docs/rules.md', () => {
  it('has examples', () => expect(fences.map(({ info }) => info)).to.include.members(['yaml', 'yaml invalid', 'text']));

  for (const fence of fences.filter(({ info }) => info === 'yaml')) {
    it(`shows rules in line ${fence.line} that are accepted`, () => {
      const { resources, problems } = parse(fence);
      expect(problems.map(formatProblem)).to.deep.equal([]);
      expect(resources).to.have.length.above(0);
      expect(findConflicts(resources.map(({ resource }) => resource))).to.deep.equal([]);
    });
  }

  for (const fence of fences.filter(({ info }) => info === 'yaml invalid')) {
    it(`shows rules in line ${fence.line} that are refused`, () =>
      expect(parse(fence).problems).to.have.length.above(0));
  }

  for (const [index, fence] of fences.entries()) {
    if (fence.info !== 'text') continue;
    it(`shows in line ${fence.line} the very errors of the rules before it`, () => {
      const problems = fences.slice(index - 1, index).flatMap((before) => parse(before).problems);
      expect(problems.map(formatProblem)).to.deep.equal(fence.text.trimEnd().split('\n'));
    });
  }

  it('uses no kind of fence that no test reads', () => {
    expect(new Set(fences.map(({ info }) => info))).to.deep.equal(new Set(['yaml', 'yaml invalid', 'text']));
    expect(page.match(/^```/gm)).to.have.length(fences.length * 2);
  });
});
