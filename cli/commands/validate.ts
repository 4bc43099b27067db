/** `sluice validate`: everything that can be said about rule files without a server. */
import type { Command } from 'commander';
import { conflictProblems, findConflicts } from '../../model/conflicts.ts';
import { type DocumentFile, parseDocuments } from '../../model/document.ts';
import { formatProblem, type Problem } from '../../model/problem.ts';
import { exitCodes } from '../context.ts';
import { outputOption } from '../global-options.ts';
import { example } from '../help.ts';
import { filesOption, given } from '../options.ts';
import { count, paint, print } from '../render.ts';
import { readRuleFiles } from '../rule-files.ts';
import type { CommandLine } from '../run.ts';

export function completeValidate(command: Command, { context, run }: CommandLine): void {
  command
    .addOption(filesOption())
    .addOption(outputOption())
    .addHelpText('after', example('validate -f rules/', 'validate -f - < rules.yaml'))
    .action(
      run(async () => {
        const { file, output } = given(command, context);
        const { documents, errors } = validate(await readRuleFiles(file, context));
        const isValid = errors.length === 0;
        if (output !== 'table') await print(context, output, { valid: isValid, documents, errors }, () => '');
        else if (isValid) context.out.write(`${count(documents, 'document')} valid\n`);
        else context.err.write(errors.map((error) => `${paint(context.err, 'red', formatProblem(error))}\n`).join(''));
        return isValid ? exitCodes.done : exitCodes.refused;
      }),
    );
}

/** Conflicts are looked for when everything else is right: a faulty document may be the one that is missing. */
export function validate(files: readonly DocumentFile[]): { documents: number; errors: readonly Problem[] } {
  const { resources, problems } = parseDocuments(files);
  if (problems.length > 0) return { documents: resources.length, errors: problems };
  if (resources.length === 0) return { documents: 0, errors: [{ path: '', message: 'there is no document' }] };
  const conflicts = findConflicts(resources.map(({ resource }) => resource));
  return { documents: resources.length, errors: conflictProblems(conflicts, resources) };
}
