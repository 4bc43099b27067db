/** `sluice version`. */
import type { Command } from 'commander';
import { sluiceVersion } from '../../process/version.ts';
import { exitCodes } from '../context.ts';
import { example } from '../help.ts';
import type { CommandLine } from '../run.ts';

export function completeVersion(command: Command, { context, run }: CommandLine): void {
  command.addHelpText('after', example('version')).action(
    run(() => {
      context.out.write(
        `sluice ${sluiceVersion} (node ${process.versions.node}, ${process.platform} ${process.arch})\n`,
      );
      return exitCodes.done;
    }),
  );
}
