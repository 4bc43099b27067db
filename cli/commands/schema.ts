/** `sluice schema`: the JSON Schema of the rule files, for editors. */
import type { Command } from 'commander';
import { jsonSchema, schemaNames } from '../../model/json-schema.ts';
import { type Context, exitCodes } from '../context.ts';
import { parseDocumentKind } from '../kinds.ts';
import type { Run } from '../run.ts';
import { example } from './apply.ts';

export function addSchema(program: Command, context: Context, run: Run): void {
  program
    .command('schema')
    .description('print the JSON Schema of a kind, or of any document')
    .argument('[kind]', 'route, service or trafficpolicy')
    .addHelpText('after', example('schema > sluice.schema.json', 'schema route'))
    .action(
      run((_command, [kind]) => {
        const name = kind === undefined ? 'sluice' : parseDocumentKind(kind).kind.toLowerCase();
        const known = schemaNames.find((each) => each === name) ?? 'sluice';
        context.out.write(`${JSON.stringify(jsonSchema(known), null, 2)}\n`);
        return exitCodes.done;
      }),
    );
}
