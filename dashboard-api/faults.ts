/** What zod finds wrong with a request, as problems in our words: a place such as `query.wait` and a sentence. */
import type { z } from 'zod';
import { formatPath, type Path, type Problem } from '../model/problem.ts';

export function faultsOf(error: z.ZodError, at: Path): Problem[] {
  return error.issues.flatMap((issue) => {
    const path: Path = [...at, ...issue.path.filter((part) => typeof part !== 'symbol')];
    if (issue.code !== 'unrecognized_keys') return [{ path: formatPath(path), message: issue.message }];
    return issue.keys.map((key) => ({ path: formatPath([...path, key]), message: 'is unknown here' }));
  });
}

/** To be handed to `safeParse`: zod's own words for a wrong type speak of "input". */
faultsOf.wording = {
  error(issue: z.core.$ZodRawIssue): string | undefined {
    if (issue.code !== 'invalid_type') return undefined;
    if (issue.input === undefined) return 'must be given';
    return `must be ${typeNames[issue.expected] ?? `a value of type ${issue.expected}`}`;
  },
};

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  object: 'a map',
  record: 'a map',
  array: 'a list',
  boolean: 'true or false',
};
