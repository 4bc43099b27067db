/** `sluice instances`, `agents` and `history`: the lists that are looked at most, each under its own name. */
import type { Command } from 'commander';
import { type Context, exitCodes } from '../context.ts';
import { given, namespaceOption, parseCount, withApi } from '../options.ts';
import type { Run } from '../run.ts';
import { example } from './apply.ts';
import { showAgents, showHistory, showInstances } from './get.ts';

export function addInstances(program: Command, context: Context, run: Run): void {
  withApi(program.command('instances'))
    .description('the instances of a service and their states')
    .argument('<service>', 'name of the service')
    .addOption(namespaceOption())
    .addHelpText('after', example('instances reviews'))
    .action(
      run(async (command, [service = '']) => {
        const { client, output, namespace } = given(command, context);
        await showInstances({ client, context, output, namespace }, service);
        return exitCodes.done;
      }),
    );
}

export function addAgents(program: Command, context: Context, run: Run): void {
  withApi(program.command('agents'))
    .description('all agents: what each was sent, has applied, or refuses and why')
    .argument('[service]', 'only those of this service')
    .addOption(namespaceOption())
    .addHelpText('after', example('agents', 'agents reviews -o json'))
    .action(
      run(async (command, [service]) => {
        const { client, output, namespace } = given(command, context);
        await showAgents({ client, context, output, namespace }, { service });
        return exitCodes.done;
      }),
    );
}

const shownRevisions = 20;

export function addHistory(program: Command, context: Context, run: Run): void {
  withApi(program.command('history'))
    .description('the newest revisions: who, when, why and what')
    .option('--limit <number>', `how many (default: ${shownRevisions}, at most 1000)`, parseCount)
    .addHelpText('after', example('history --limit 5'))
    .action(
      run(async (command) => {
        const { client, output, limit = shownRevisions } = given(command, context);
        await showHistory({ client, context, output, namespace: undefined }, Math.min(limit, 1000));
        return exitCodes.done;
      }),
    );
}
