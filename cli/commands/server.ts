/** `sluice server`: the control plane. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { Run } from '../run.ts';
import { addSettings, settingsOrRefuse } from '../settings-command.ts';
import { example } from './apply.ts';

/** Loads the server's code only when this command stands on the command line. */
export async function addServer(program: Command, context: Context, run: Run, args: readonly string[]): Promise<void> {
  const command = program.command('server').usage('[options]').description('run the control plane');
  if (!args.includes('server')) return;
  const { serverSettings, loadServerSettings } = await import('../../server/config.ts');
  const { withFile } = await import('../../process/settings.ts');
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
        const { runServer } = await import('../../server/main.ts');
        return runServer(settings);
      }),
    );
}
