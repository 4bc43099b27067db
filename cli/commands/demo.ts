/** `sluice demo`: the whole of it in one command, with real processes. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { Run } from '../run.ts';
import { example } from './apply.ts';

export function addDemo(program: Command, context: Context, run: Run): void {
  program
    .command('demo')
    .description('watch real traffic move from v1 to v2: server, services and agents on free local ports')
    .addHelpText('after', example('demo'))
    .action(
      run(async () => {
        const { runDemo } = await import('../demo/demo.ts');
        return runDemo(context);
      }),
    );
}
