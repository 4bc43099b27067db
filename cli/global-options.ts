/** Options that may stand before every command. Loaded by all of them: reads nothing but words. */
import { type Command, Option } from 'commander';
import { defaultApi } from './context.ts';
import { type Output, outputs } from './render.ts';

export function apiOption(): Option {
  return new Option('--api <url>', `address of the server (environment: SLUICE_API; default: ${defaultApi})`);
}

/** Of what is asked for; a command that prints something else says in which forms. */
export function outputOption(
  description = 'json prints the REST answer (default: table)',
  forms: readonly Output[] = outputs,
): Option {
  return new Option('-o, --output <form>', description).choices(forms);
}

/** Every command that asks the server. They may also stand before the command. */
export function withApi(command: Command): Command {
  return command.addOption(apiOption()).addOption(outputOption());
}
