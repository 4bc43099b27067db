/** Another path or host for a request on its way to the backend. */
import type { RouteAction } from '../proto/types.ts';
import { assertVisible } from './head-text.ts';
import type { PathCondition } from './match.ts';
import { preparePathChange } from './path-change.ts';

export interface Rewrite {
  /** The path to send, from the path of the request, both without query; the same one when `changesPath` is false. */
  path(path: string): string;
  readonly changesPath: boolean;
  /** The Host to send; undefined: as in the request. */
  readonly host: string | undefined;
}

/** Undefined when both stay as they are. Throws UnusableError, naming `where`. */
export function prepareRewrite(action: RouteAction, condition: PathCondition, where: string): Rewrite | undefined {
  const change = preparePathChange(action, condition, where);
  const host = action.hostRewriteLiteral === '' ? undefined : action.hostRewriteLiteral;
  if (change === undefined && host === undefined) return undefined;
  assertVisible(action.hostRewriteLiteral, where);
  return { path: change ?? unchanged, changesPath: change !== undefined, host };
}

function unchanged(path: string): string {
  return path;
}
