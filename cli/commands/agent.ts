/** `sluice agent`: the sidecar, with the application as its child if one is given after `--`. */
import { extname, join } from 'node:path';
import type { Command } from 'commander';
import type { AgentSettings, SharedSettings } from '../../agent/agent-settings.ts';
import { loadAgentSettings } from '../../agent/config.ts';
import { type HandedOver, handOver } from '../../agent/program/handed-over.ts';
import { agentSettingsSchema } from '../../agent/settings-schema.ts';
import { loadSharedSettings } from '../../agent/shared/shared-config.ts';
import { type SettingsSources, settingsFileOf, withFile } from '../../process/settings.ts';
import { usageError } from '../context.ts';
import { example } from '../help.ts';
import type { CommandLine } from '../run.ts';
import { addSettings, settingsOrRefuse } from '../settings-command.ts';

/**
 * Node lets the young part of its heap grow to 48 MB while a program loads, and does not give it back, and a sidecar should
 * be small. 8 MB are as cheap in memory as 1 MB, and collected so much more rarely that the slowest requests take half as
 * long (bench/README.md).
 */
const runtimeFlags = ['--max-semi-space-size=8'];
const program = join(import.meta.dirname, `../../agent/program/main${extname(import.meta.filename)}`);

/** Rules let alone what the agent's user sends: an application of the same user would not be intercepted. */
function refuseSharedUser({ interception, runAs }: Pick<AgentSettings, 'interception' | 'runAs'>): void {
  if (interception === undefined || interception.backend === 'external') return;
  const own = process.getuid?.();
  if (runAs !== undefined && runAs.uid !== own) return;
  throw usageError(
    `agent: with --intercept the application needs a user of its own, not ${own} as the agent: give it one by --run-as UID[:GID]`,
  );
}

export function completeAgent(command: Command, { context, run, args }: CommandLine): void {
  command.usage('[options] [-- command…]').argument('[command...]', 'the application, after --');
  /** Goes on as the agent; in this very program where it cannot be replaced. */
  const become = async (read: HandedOver): Promise<number> => {
    await context.becomeProgram?.({ program, flags: runtimeFlags, environment: handOver(read) });
    const { run } = await import('../../agent/program/run.ts');
    return run(read, context.environment);
  };
  const sharedAgent = (
    shared: SharedSettings,
    application: readonly string[],
    sources: SettingsSources,
  ): HandedOver => {
    if (application.length === 0) return { shared, flags: sources.flags, file: settingsFileOf(sources) ?? '' };
    throw usageError(
      'agent: a command after -- goes with one application: those of the entries of a file are started by somebody else',
    );
  };
  addSettings(command, agentSettingsSchema);
  command
    .addHelpText(
      'after',
      example(
        'agent --service reviews --version v1 --app 127.0.0.1:9080',
        'agent --service web --upstream reviews=127.0.0.1:19080 -- node web.js',
      ),
    )
    .action(
      run(async (application) => {
        if (application.length > 0 && !args.includes('--')) {
          throw usageError(`agent: "${application[0]}" is no flag; an application is written after --`);
        }
        const sources = await withFile({ flags: command.opts(), environment: context.environment });
        const shared = loadSharedSettings(sources);
        if (shared !== undefined) return become(sharedAgent(settingsOrRefuse(shared), application, sources));
        const settings = settingsOrRefuse(loadAgentSettings(sources));
        if (application.length > 0) refuseSharedUser(settings);
        return become({ settings, command: application });
      }),
    );
}
