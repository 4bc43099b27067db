/** `sluice delete`: one document. */
import type { Command } from 'commander';
import { makeChange } from '../change.ts';
import type { Context } from '../context.ts';
import { parseDocumentKind } from '../kinds.ts';
import { given, ifMatchOption, messageOption, namespaceOption, waitOption, withApi } from '../options.ts';
import type { Run } from '../run.ts';
import { example } from './apply.ts';

export function addDelete(program: Command, context: Context, run: Run): void {
  withApi(program.command('delete'))
    .description('delete one document')
    .argument('<kind>', 'service, route or trafficpolicy')
    .argument('<name>', 'name of the document')
    .addOption(namespaceOption())
    .addOption(waitOption())
    .option('--dry-run', 'check everything, change nothing')
    .addOption(messageOption())
    .addOption(ifMatchOption())
    .addHelpText('after', example('delete route reviews-canary --wait'))
    .action(
      run(async (command, [kind = '', name = '']) => {
        const { client, namespace, dryRun, message, ifMatch, wait, output } = given(command, context);
        return makeChange(client, context, {
          method: 'DELETE',
          path: `/api/v1/${parseDocumentKind(kind).thing}/${encodeURIComponent(name)}`,
          query: { namespace, dryRun: dryRun ? 'true' : undefined, message },
          headers: ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` },
          waitMs: dryRun ? undefined : wait,
          output,
        });
      }),
    );
}
