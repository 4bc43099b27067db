/** Which nodes a tool asks about: `node_matchers` of a client status request. Pure. */
import type { NodeMatcher } from '../../proto/types.ts';
import { UnusableError } from '../../routing/refusal.ts';
import { createTextMatcher } from '../../routing/text-matcher.ts';
import { StatusError, status } from '../grpc/status.ts';

const mostMatchers = 100;

/** Whether one of the matchers takes the node id; without matchers all are taken. Throws StatusError. */
export function createNodeFilter(matchers: readonly NodeMatcher[]): (id: string) => boolean {
  if (matchers.length > mostMatchers) {
    throw new StatusError(status.INVALID_ARGUMENT, `more than ${mostMatchers} node_matchers`);
  }
  const tests = matchers.map(createTest);
  return (id) => tests.length === 0 || tests.some((test) => test(id));
}

function createTest({ nodeId, nodeMetadatas }: NodeMatcher, index: number): (id: string) => boolean {
  const where = `node_matchers[${index}]`;
  // Taken as if it were not there, it would show more than was asked for.
  if (nodeMetadatas.length > 0) {
    throw new StatusError(status.UNIMPLEMENTED, `${where}.node_metadatas is not supported: match by node_id`);
  }
  if (nodeId === null) return () => true;
  try {
    return createTextMatcher(nodeId, `${where}.node_id`).matches;
  } catch (error) {
    if (!(error instanceof UnusableError)) throw error;
    throw new StatusError(status.INVALID_ARGUMENT, error.message);
  }
}
