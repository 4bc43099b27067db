/** Commands that run for long take settings: their flags and help come from the schema of the settings itself. */
import { type Command, Option } from 'commander';
import { formatProblem, type Problem } from '../model/problem.ts';
import { describeSettings, type SettingsSchema } from '../process/settings.ts';
import { usageError } from './context.ts';

export function addSettings(command: Command, schema: SettingsSchema): void {
  const placeholders = new Map<string, string>();
  for (const { flag, description, placeholder, isRepeatable, defaultText, variable } of describeSettings(schema)) {
    const notes = [...(defaultText ? [`default: ${defaultText}`] : []), `environment: ${variable}`];
    const option = new Option(`${flag} <value>`, `${description} (${notes.join('; ')})`);
    if (isRepeatable) option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
    placeholders.set(flag, placeholder || 'VALUE');
    command.addOption(option);
  }
  command.option('--config <file>', 'YAML or JSON file with settings (environment: SLUICE_CONFIG)');
  command.configureHelp({
    // Commander reads brackets and commas in a placeholder as its own syntax, so it gets to see it only here.
    optionTerm: ({ flags, long }) => flags.replace('<value>', placeholders.get(long ?? '') ?? 'VALUE'),
  });
}

/** The settings, or every fault in them as wrong usage. */
export function settingsOrRefuse<Settings>(
  loaded: { readonly settings: Settings } | { readonly problems: readonly Problem[] },
): Settings {
  if ('settings' in loaded) return loaded.settings;
  throw usageError(loaded.problems.map(formatProblem).join('\n'));
}
