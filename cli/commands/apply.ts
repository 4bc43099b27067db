/** `sluice apply`: rule files to the server, one revision. */
import type { Command } from 'commander';
import { makeChange } from '../change.ts';
import type { Context } from '../context.ts';
import { filesOption, given, ifMatchOption, messageOption, pruneOption, waitOption, withApi } from '../options.ts';
import { readRuleFiles } from '../rule-files.ts';
import type { Run } from '../run.ts';

export function addApply(program: Command, context: Context, run: Run): void {
  withApi(program.command('apply'))
    .description('apply rule files: one revision, all or nothing')
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
      run(async (command) => {
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

/** Ends the help of every command. */
export function example(...lines: string[]): string {
  return `\nExample:\n${lines.map((line) => `  $ sluice ${line}\n`).join('')}`;
}
