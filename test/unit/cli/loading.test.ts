import { expect } from 'chai';
import { Command, Help } from 'commander';
import { commands } from '../../../cli/commands.ts';
import { createProgram } from '../../../cli/program.ts';
import { loadedWith } from '../../support/loaded-with.ts';

/** To load one of them takes a quarter of the time that Node takes to start, or more. */
const heavy = ['zod', 'yaml', 'koffi', 'pino', 'pino-pretty', '@grpc/grpc-js', 'protobufjs', 'express', 'lmdb'];

function heavyOf(...modules: readonly string[]): string[] {
  const loaded = new Set(modules.flatMap((module) => [...loadedWith(module)]));
  return heavy.filter((name) => loaded.has(name));
}

describe('what a command loads', () => {
  it('is nothing heavy for the list of commands', () => {
    expect([...loadedWith('cli/command-line.ts')]).to.include.members(['cli/commands.ts', 'commander']);
    expect(heavyOf('cli/main.ts', 'cli/command-line.ts', 'cli/commands/version.ts')).to.deep.equal([]);
  });

  for (const name of ['agent', 'server', 'apply', 'status', 'get']) {
    it(`is of what is heavy the schemas alone for ${name}, until it is known what to do`, () =>
      expect(heavyOf(`cli/commands/${name}.ts`)).to.deep.equal(['zod']));
  }

  for (const { synopsis } of commands.filter(({ synopsis }) => !/^(?:server|agent)\b/.test(synopsis))) {
    it(`makes of "${synopsis}" what the list says that it is`, async () => {
      const [name = ''] = synopsis.split(' ');
      const program = await createProgram([name], nowhere, () => async () => {});
      const command = program.commands.find((each) => each.name() === name) ?? new Command();
      expect(new Help().subcommandTerm(command)).to.equal(synopsis);
    });
  }
});

const screen = { write: () => {}, isTerminal: false, hasColours: false };
const nowhere = {
  out: screen,
  err: screen,
  readStdin: async () => '',
  environment: {},
  fetch,
  clock: () => 0,
  signal: new AbortController().signal,
};
