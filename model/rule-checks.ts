/** What the fields of one rule must be to each other. Checks see unknown values, so that all faults come at once. */
import type { z } from 'zod';
import type { Path } from './problem.ts';
import { msOf } from './rule-fields.ts';
import { fieldOf } from './unique.ts';

/** Adds an issue for every fault between the fields of a rule. */
export function checkRule(rule: unknown, context: z.core.$RefinementCtx): void {
  const faults = [...targetFaults(rule), ...redirectFaults(rule), ...prefixFaults(rule), ...timeoutFaults(rule)];
  for (const { path, message } of faults) context.addIssue({ code: 'custom', path: [...path], message });
}

interface RuleFault {
  readonly path: Path;
  readonly message: string;
}

function targetFaults(rule: unknown): RuleFault[] {
  const list = fieldOf(rule, 'backends');
  // Anything but an empty list is backends, if perhaps faulty ones, which is said elsewhere.
  const hasBackends = !Array.isArray(list) || list.length > 0;
  const hasRedirect = fieldOf(rule, 'redirect') !== undefined;
  if (hasBackends && hasRedirect) {
    return [{ path: ['redirect'], message: 'stands beside backends; a rule has one of them' }];
  }
  if (hasBackends || hasRedirect) return [];
  return [{ path: ['backends'], message: 'a rule needs backends or a redirect, has neither' }];
}

/** What concerns requests that are sent on. */
const needsBackend = ['sticky', 'timeout', 'retry', 'mirror', 'fault', 'rewrite'] as const;

function redirectFaults(rule: unknown): RuleFault[] {
  if (fieldOf(rule, 'redirect') === undefined) return [];
  const message = 'stands beside a redirect, which sends nothing on: it would have no effect';
  const fields = needsBackend.filter((field) => fieldOf(rule, field) !== undefined);
  const request = fieldOf(fieldOf(rule, 'headers'), 'request');
  return [
    ...fields.map((field) => ({ path: [field], message })),
    ...(request === undefined ? [] : [{ path: ['headers', 'request'], message }]),
  ];
}

/** Only a prefix leaves something behind it to keep. */
function prefixFaults(rule: unknown): RuleFault[] {
  const matches = fieldOf(rule, 'match');
  const other = Array.isArray(matches) ? matches.findIndex((match) => !hasPrefix(match)) : -1;
  if (other === -1) return [];
  const message = `needs a path prefix, or no path, in every match of the rule; match[${other}] has another kind of path`;
  return (['rewrite', 'redirect'] as const)
    .filter((field) => fieldOf(fieldOf(fieldOf(rule, field), 'path'), 'prefix') !== undefined)
    .map((field) => ({ path: [field, 'path', 'prefix'], message }));
}

function hasPrefix(match: unknown): boolean {
  const path = fieldOf(match, 'path');
  return path === undefined || fieldOf(path, 'prefix') !== undefined;
}

function timeoutFaults(rule: unknown): RuleFault[] {
  const whole = msOf(fieldOf(rule, 'timeout'));
  const each = msOf(fieldOf(fieldOf(rule, 'retry'), 'perTryTimeout'));
  if (whole === undefined || each === undefined || each <= whole) return [];
  const message = 'is longer than the timeout of the rule, which ends all tries together';
  return [{ path: ['retry', 'perTryTimeout'], message }];
}
