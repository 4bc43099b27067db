/** `sluice version`. */
import type { Command } from 'commander';
import { sluiceVersion } from '../../process/version.ts';
import { type Context, exitCodes } from '../context.ts';
import type { Run } from '../run.ts';
import { example } from './apply.ts';

export function addVersion(program: Command, context: Context, run: Run): void {
  program
    .command('version')
    .description('the version of this command')
    .addHelpText('after', example('version'))
    .action(
      run(() => {
        context.out.write(
          `sluice ${sluiceVersion} (node ${process.versions.node}, ${process.platform} ${process.arch})\n`,
        );
        return exitCodes.done;
      }),
    );
}
