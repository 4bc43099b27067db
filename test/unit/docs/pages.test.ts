import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { expect } from 'chai';
import type { Command } from 'commander';
import { parseAllDocuments } from 'yaml';
import type { Context } from '../../../cli/context.ts';
import { createProgram } from '../../../cli/program.ts';
import { parseDocuments } from '../../../model/document.ts';
import { formatProblem } from '../../../model/problem.ts';
import { type Fence, fencesOf, readPages, sectionOf } from '../../support/fences.ts';

const top = join(import.meta.dirname, '../../..');
const pages = readPages(top);

/** What may stand after the backquotes. Another word is a fence that no test reads. */
const infos = ['http', 'json', 'sh', 'sh look', 'text', 'yaml', 'yaml agent', 'yaml invalid', 'yaml server', 'ts'];

const fences = pages.flatMap(({ path, text }) => fencesOf(text).map((fence) => ({ ...fence, path })));
/** Commands that stand in a page without a fence, by their indentation. */
const indentedCommands = pages.flatMap(({ path, text }) =>
  text
    .split('\n')
    .flatMap((line, index) =>
      /^ {4}sluice /.test(line) ? [{ path, info: 'sh', text: line.trim(), line: index + 1 }] : [],
    ),
);
const ofInfo = (word: string) => fences.filter(({ info }) => info.split(' ')[0] === word);

describe('the pages', () => {
  it('use no kind of fence that no test reads', () =>
    expect(fences.filter(({ info }) => !infos.includes(info)).map(placeOf)).to.deep.equal([]));

  for (const { path, text } of pages) {
    it(`${path} links to pages and headings that are there`, () => {
      const links = [...text.replace(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(
        ([, target = '']) => target,
      );
      const relative = links.filter((target) => !/^[a-z]+:/.test(target));
      expect(relative.filter((target) => !isThere(path, target))).to.deep.equal([]);
    });
  }

  for (const fence of ofInfo('yaml')) {
    it(`show YAML that parses: ${placeOf(fence)}`, () => {
      const documents = parseAllDocuments(fence.text);
      expect(Array.isArray(documents) ? documents.flatMap(({ errors }) => errors) : ['is empty']).to.deep.equal([]);
    });
  }

  for (const fence of ofInfo('yaml').filter(({ info, text }) => info === 'yaml' && isRules(text))) {
    it(`show rules that are accepted: ${placeOf(fence)}`, () => {
      const { problems } = parseDocuments([{ name: 'rules.yaml', text: fence.text }]);
      expect(problems.map(formatProblem)).to.deep.equal([]);
    });
  }

  it('show JSON that parses', () => {
    for (const fence of ofInfo('json')) expect(() => JSON.parse(fence.text), placeOf(fence)).not.to.throw();
  });

  it('show commands that there are, with flags that they have', async () => {
    const commands = [...ofInfo('sh'), ...indentedCommands].flatMap((fence) =>
      commandsOf(fence).map((words) => ({ words, at: placeOf(fence) })),
    );
    expect(commands).to.have.length.above(10);
    const faults = await Promise.all(
      commands.map(async ({ words, at }) => (await faultsOf(words)).map((it) => `${at}: ${it}`)),
    );
    expect(faults.flat()).to.deep.equal([]);
  });

  it('show example files that there are', () => {
    const named = pages.flatMap(({ text }) => text.match(/\bexamples\/[\w./-]*\w/g) ?? []);
    expect(named).to.have.length.above(5);
    const isMissing = (path: string) => !existsSync(join(top, path.replace(/\.js$/, '.ts')));
    expect([...new Set(named)].filter(isMissing)).to.deep.equal([]);
  });

  it('show npm scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
    const named = pages.flatMap(({ text }) => [...text.matchAll(/\bnpm run ([a-z:]+)/g)].map(([, name = '']) => name));
    expect([...new Set(named)].filter((name) => !(name in scripts))).to.deep.equal([]);
  });
});

describe('ARCHITECTURE.md', () => {
  const page = pages.find(({ path }) => path === 'ARCHITECTURE.md')?.text ?? '';

  it('has every folder of the tree in its code map, and no other', () => {
    const map = sectionOf(page, '## Code map').split('### ')[0] ?? '';
    const listed = map
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)\/`/g)].map(([, folder = '']) => folder));
    const folders = sourcesOf(top).map(dirname);
    // The tests mirror the sources; their picture is that of the sources.
    const wanted = new Set(folders.map((folder) => folder.replace(/^(test\/[a-z0-9]+)\/.*/, '$1')));
    expect([...new Set(listed)].sort()).to.deep.equal([...wanted].sort());
  });

  it('names files that are there', () => {
    const named = [...page.matchAll(/`([a-z-]+(?:\/[a-z0-9-]+)*\/[a-z0-9-]+\.ts)`/g)].map(([, path = '']) => path);
    expect(named.filter((path) => !existsSync(join(top, path)))).to.deep.equal([]);
  });
});

/** Every file of the project in a folder, but for what is made from others. */
function sourcesOf(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(
    ({ name }) => !/^(?:\..*|node_modules|dist|data)$/.test(name),
  );
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourcesOf(path);
    return folder === top ? [] : [relative(top, path)];
  });
}

function placeOf({ path, line }: Fence & { readonly path: string }): string {
  return `${path}:${line}`;
}

function isRules(text: string): boolean {
  return /^apiVersion: sluice\.dev/m.test(text);
}

function isThere(from: string, target: string): boolean {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(top, path))) return false;
  if (anchor === undefined) return true;
  const text = pages.find((page) => page.path === path)?.text ?? '';
  return [...text.matchAll(/^#+ (.*)$/gm)].some(([, heading = '']) => anchorOf(heading) === anchor);
}

/** As GitHub makes them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

/** Every use of `sluice` in a block of commands, as words from its subcommand on. */
function commandsOf({ text }: Fence): string[][] {
  const lines = text
    .replace(/<<'(\w+)'[\s\S]*?^\1$/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n');
  return lines
    .map((line): readonly string[] => line.replace(/(?:^|\s)#.*$/, '').match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? [])
    .flatMap((words) => {
      const at = words.indexOf('sluice');
      const isCommand = at === 0 || words[at - 1] === 'npx';
      const rest = words.slice(at + 1);
      const end = rest.findIndex((word) => /^(?:\d?[<>|&;].*|--)$/.test(word));
      return at >= 0 && isCommand ? [end < 0 ? rest : rest.slice(0, end)] : [];
    });
}

async function faultsOf([name = '', ...words]: readonly string[]): Promise<string[]> {
  const program = await createProgram([name], nowhere, () => async () => {});
  const command = program.commands.find((each) => each.name() === name);
  if (command === undefined) return [`there is no command "${name}"`];
  return words
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.split('=')[0] ?? word)
    .filter((flag) => !knows(program, flag) && !knows(command, flag))
    .map((flag) => `"${name}" has no ${flag}`);
}

function knows(command: Command, flag: string): boolean {
  return flag === '--help' || command.options.some(({ short, long }) => flag === short || flag === long);
}

/** Commands are only looked at. */
const nowhere: Context = {
  out: { write: () => {}, isTerminal: false, hasColours: false },
  err: { write: () => {}, isTerminal: false, hasColours: false },
  readStdin: async () => '',
  environment: {},
  fetch,
  clock: () => 0,
  signal: new AbortController().signal,
};
