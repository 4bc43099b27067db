/** `sluice rollback`: back to how the rules stood, as a new revision. */
import { Argument, type Command } from 'commander';
import { makeChange } from '../change.ts';
import type { Context } from '../context.ts';
import { given, messageOption, parseRevision, waitOption, withApi } from '../options.ts';
import type { Run } from '../run.ts';
import { example } from './apply.ts';

export function addRollback(program: Command, context: Context, run: Run): void {
  withApi(program.command('rollback'))
    .description('back to how the rules stood at a revision; itself a new revision')
    .addArgument(
      new Argument('<revision>', 'number, see `sluice history`; 0: before the first, no rules at all').argParser(
        parseRevision,
      ),
    )
    .addOption(waitOption())
    .addOption(messageOption())
    .addHelpText('after', example('rollback 11 --wait -m "v2 leaks memory"'))
    .action(
      run(async (command, [revision = '']) => {
        const { client, message, wait, output } = given(command, context);
        const path = `/api/v1/revisions/${Number(revision)}/rollback`;
        return makeChange(client, context, { method: 'POST', path, query: { message }, waitMs: wait, output });
      }),
    );
}
