/** Options that several commands share, each parsed at the door: a bad value is wrong usage. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { prune, wait } from '../dashboard-api/parameters.ts';
import { parseValue } from '../model/parse.ts';
import { ApiClient } from './api-client.ts';
import { type Context, defaultApi } from './context.ts';
import { isOutput, type Output } from './render.ts';

const defaultWait = '30s';

export function waitOption(): Option {
  return new Option('--wait [duration]', 'until every agent has applied it, such as 10s')
    .preset(defaultWait)
    .argParser(parseWait);
}

export function namespaceOption(): Option {
  return new Option('-n, --namespace <name>', 'namespace');
}

export function messageOption(): Option {
  return new Option('-m, --message <text>', 'why, for the history');
}

export function ifMatchOption(): Option {
  return new Option('--if-match <revision>', 'refuse unless this is the revision now').argParser(parseRevision);
}

export function filesOption(): Option {
  return new Option('-f, --file <path>', 'file, directory, or - for standard input; may be repeated')
    .argParser((path: string, before: string[] | undefined) => [...(before ?? []), path])
    .makeOptionMandatory();
}

export function pruneOption(description: string): Option {
  return new Option('--prune <selector>', description).argParser((text) => {
    parseParameter(prune, text);
    return text;
  });
}

/** Milliseconds. */
export function parseWait(text: string): number | undefined {
  return parseParameter(wait, text);
}

/** What the API would refuse is wrong usage here, before anybody is asked. */
function parseParameter<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  const parsed = parseValue(schema, text);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(`${parsed.faults.map(({ message }) => message).join('; ')}.`);
}

export function parseRevision(text: string): number {
  if (/^(?:0|[1-9]\d{0,14})$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be the number of a revision.');
}

export function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be a whole number above 0.');
}

/** What commander collected, as the options above made it. Absent means not given. */
const collected = z.object({
  api: z.string().optional(),
  output: z.string().optional(),
  file: z.array(z.string()).optional(),
  wait: z.number().optional(),
  namespace: z.string().optional(),
  message: z.string().optional(),
  ifMatch: z.number().optional(),
  prune: z.string().optional(),
  dryRun: z.boolean().optional(),
  watch: z.boolean().optional(),
  limit: z.number().optional(),
});

export interface Given extends z.output<typeof collected> {
  readonly output: Output;
  readonly file: string[];
  readonly client: ApiClient;
}

/** An option after the command wins over one before it, that over the environment. */
export function given(command: Command, context: Context): Given {
  const before = collected.parse(command.parent?.opts() ?? {});
  const own = collected.parse(command.opts());
  const api = own.api ?? before.api ?? (context.environment.SLUICE_API || defaultApi);
  const output = own.output ?? before.output;
  return {
    ...own,
    output: isOutput(output) ? output : 'table',
    file: own.file ?? [],
    get client() {
      return new ApiClient(api, context);
    },
  };
}
