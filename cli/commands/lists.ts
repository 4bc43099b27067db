/** `sluice instances`, `agents` and `history`: the lists that are looked at most, each under its own name. */
import type { Command } from 'commander';
import { exitCodes } from '../context.ts';
import { withApi } from '../global-options.ts';
import { example } from '../help.ts';
import { given, namespaceOption, parseCount } from '../options.ts';
import type { CommandLine } from '../run.ts';
import { showAgents, showHistory, showInstances } from './get.ts';

export function completeInstances(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .argument('<service>', 'name of the service')
    .addOption(namespaceOption())
    .addHelpText('after', example('instances reviews'))
    .action(
      run(async ([service = '']) => {
        const { client, output, namespace } = given(command, context);
        await showInstances({ client, context, output, namespace }, service);
        return exitCodes.done;
      }),
    );
}

export function completeAgents(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .argument('[service]', 'only those of this service')
    .addOption(namespaceOption())
    .addHelpText('after', example('agents', 'agents reviews -o json'))
    .action(
      run(async ([service]) => {
        const { client, output, namespace } = given(command, context);
        await showAgents({ client, context, output, namespace }, { service });
        return exitCodes.done;
      }),
    );
}

const shownRevisions = 20;

export function completeHistory(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .option('--limit <number>', `how many (default: ${shownRevisions}, at most 1000)`, parseCount)
    .addHelpText('after', example('history --limit 5'))
    .action(
      run(async () => {
        const { client, output, limit = shownRevisions } = given(command, context);
        await showHistory({ client, context, output, namespace: undefined }, Math.min(limit, 1000));
        return exitCodes.done;
      }),
    );
}
