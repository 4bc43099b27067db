/** `sluice diff`: what an apply would change, line by line. */
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { changedAnswer } from '../../dashboard-api/answers.ts';
import { exitCodes, type Screen } from '../context.ts';
import { withApi } from '../global-options.ts';
import { example } from '../help.ts';
import { diffLines } from '../line-diff.ts';
import { filesOption, given, pruneOption } from '../options.ts';
import { paint, print } from '../render.ts';
import { readRuleFiles } from '../rule-files.ts';
import type { CommandLine } from '../run.ts';

type Change = z.output<typeof changedAnswer>['changes'][number];

/** Unchanged lines that are shown around a change. */
const around = 3;

export function completeDiff(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .addOption(filesOption())
    .addOption(pruneOption('as for apply: k=v,k2=v2'))
    .addHelpText('after', example('diff -f rules/'))
    .action(
      run(async () => {
        const { client, file, prune, output } = given(command, context);
        const { value, body } = await client.ask({
          method: 'POST',
          path: '/api/v1/apply',
          query: { dryRun: 'true', prune },
          body: { files: await readRuleFiles(file, context) },
          answer: changedAnswer,
        });
        await print(context, output, body, () =>
          value.changes.map((change) => changeText(change, context.out)).join(''),
        );
        return value.changes.length === 0 ? exitCodes.done : exitCodes.changes;
      }),
    );
}

function changeText({ kind, namespace, name, action, before, after }: Change, out: Screen): string {
  const lines = diffLines(linesOf(before), linesOf(after));
  const isNear = (index: number): boolean =>
    lines.slice(Math.max(0, index - around), index + around + 1).some((line) => line.is !== 'same');
  const shown: string[] = [];
  lines.forEach(({ is, text }, index) => {
    if (is === 'removed') shown.push(paint(out, 'red', `- ${text}`));
    else if (is === 'added') shown.push(paint(out, 'green', `+ ${text}`));
    else if (isNear(index)) shown.push(`  ${text}`);
    else if (shown.at(-1) !== gap) shown.push(gap);
  });
  return `${paint(out, 'bold', `${action} ${kind} ${namespace}/${name}`)}\n${shown.map((line) => `${line}\n`).join('')}`;
}

const gap = '  …';

function linesOf(resource: unknown): string[] {
  return resource === null || resource === undefined ? [] : stringify(resource).trimEnd().split('\n');
}
