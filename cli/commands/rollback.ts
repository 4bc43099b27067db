/** `sluice rollback`: back to how the rules stood, as a new revision. */
import { Argument, type Command } from 'commander';
import { makeChange } from '../change.ts';
import { withApi } from '../global-options.ts';
import { example } from '../help.ts';
import { given, messageOption, parseRevision, waitOption } from '../options.ts';
import type { CommandLine } from '../run.ts';

export function completeRollback(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .addArgument(
      new Argument('<revision>', 'number, see `sluice history`; 0: before the first, no rules at all').argParser(
        parseRevision,
      ),
    )
    .addOption(waitOption())
    .addOption(messageOption())
    .addHelpText('after', example('rollback 11 --wait -m "v2 leaks memory"'))
    .action(
      run(async ([revision = '']) => {
        const { client, message, wait, output } = given(command, context);
        const path = `/api/v1/revisions/${Number(revision)}/rollback`;
        return makeChange(client, context, { method: 'POST', path, query: { message }, waitMs: wait, output });
      }),
    );
}
