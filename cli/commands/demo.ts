/** `sluice demo`: the whole of it in one command, with real processes. */
import type { Command } from 'commander';
import { example } from '../help.ts';
import type { CommandLine } from '../run.ts';

export function completeDemo(command: Command, { context, run }: CommandLine): void {
  command.addHelpText('after', example('demo')).action(
    run(async () => {
      const { runDemo } = await import('../demo/demo.ts');
      return runDemo(context);
    }),
  );
}
