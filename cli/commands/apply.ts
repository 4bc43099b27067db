/** `sluice apply`: rule files to the server, one revision. */
import type { Command } from 'commander';
import { makeChange } from '../change.ts';
import { withApi } from '../global-options.ts';
import { example } from '../help.ts';
import { filesOption, given, ifMatchOption, messageOption, pruneOption, waitOption } from '../options.ts';
import { readRuleFiles } from '../rule-files.ts';
import type { CommandLine } from '../run.ts';

export function completeApply(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .addOption(filesOption())
    .addOption(waitOption())
    .option('--dry-run', 'check everything, change nothing')
    .addOption(pruneOption('delete also every document with these labels that is not in the files: k=v,k2=v2'))
    .addOption(messageOption())
    .addOption(ifMatchOption())
    .addHelpText(
      'after',
      example('apply -f examples/canary/01-90-10.yaml --wait', 'apply -f rules/ --prune team=books'),
    )
    .action(
      run(async () => {
        const { client, file, wait, output, dryRun, prune, message, ifMatch } = given(command, context);
        return makeChange(client, context, {
          method: 'POST',
          path: '/api/v1/apply',
          query: { dryRun: dryRun ? 'true' : undefined, prune, message },
          headers: ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` },
          body: { files: await readRuleFiles(file, context) },
          waitMs: dryRun ? undefined : wait,
          output,
        });
      }),
    );
}
