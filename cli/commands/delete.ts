/** `sluice delete`: one document. */
import type { Command } from 'commander';
import { makeChange } from '../change.ts';
import { withApi } from '../global-options.ts';
import { example } from '../help.ts';
import { parseDocumentKind } from '../kinds.ts';
import { given, ifMatchOption, messageOption, namespaceOption, waitOption } from '../options.ts';
import type { CommandLine } from '../run.ts';

export function completeDelete(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .argument('<kind>', 'service, route or trafficpolicy')
    .argument('<name>', 'name of the document')
    .addOption(namespaceOption())
    .addOption(waitOption())
    .option('--dry-run', 'check everything, change nothing')
    .addOption(messageOption())
    .addOption(ifMatchOption())
    .addHelpText('after', example('delete route reviews-canary --wait'))
    .action(
      run(async ([kind = '', name = '']) => {
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
