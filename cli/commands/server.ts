/** `sluice server`: the control plane. */
import type { Command } from 'commander';
import { withFile } from '../../process/settings.ts';
import { loadServerSettings, serverSettings } from '../../server/config.ts';
import { example } from '../help.ts';
import type { CommandLine } from '../run.ts';
import { addSettings, settingsOrRefuse } from '../settings-command.ts';

export function completeServer(command: Command, { context, run }: CommandLine): void {
  command.usage('[options]');
  addSettings(command, serverSettings);
  command
    .addHelpText(
      'after',
      example('server --data-dir /var/lib/sluice', 'server --http 0.0.0.0:7070 --grpc 0.0.0.0:15010'),
    )
    .action(
      run(async () => {
        const sources = await withFile({ flags: command.opts(), environment: context.environment });
        const settings = settingsOrRefuse(loadServerSettings(sources));
        // Whoever asks for help, or is told what is wrong with the settings, starts nothing.
        const { runServer } = await import('../../server/main.ts');
        return runServer(settings);
      }),
    );
}
