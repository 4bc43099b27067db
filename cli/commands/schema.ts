/** `sluice schema`: the JSON Schema of the rule files, for editors. */
import type { Command } from 'commander';
import { jsonSchema, schemaNames } from '../../model/json-schema.ts';
import { exitCodes } from '../context.ts';
import { example } from '../help.ts';
import { parseDocumentKind } from '../kinds.ts';
import type { CommandLine } from '../run.ts';

export function completeSchema(command: Command, { context, run }: CommandLine): void {
  command
    .argument('[kind]', 'route, service or trafficpolicy')
    .addHelpText('after', example('schema > sluice.schema.json', 'schema route'))
    .action(
      run(([kind]) => {
        const name = kind === undefined ? 'sluice' : parseDocumentKind(kind).kind.toLowerCase();
        const known = schemaNames.find((each) => each === name) ?? 'sluice';
        context.out.write(`${JSON.stringify(jsonSchema(known), null, 2)}\n`);
        return exitCodes.done;
      }),
    );
}
