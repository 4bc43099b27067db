/** What every call that changes rules does after it: says what changed and how far the new revision has come. */
import { MeshError } from '../model/errors.ts';
import type { ResourceChange } from '../model/revision.ts';
import { changedAnswer } from './answers.ts';
import type { Answer, AnswerDescription } from './endpoint.ts';
import { json } from './endpoint.ts';
import { tagOf } from './parameters.ts';
import type { AgentsPort, Rollout, RuleChanged } from './ports.ts';

export interface Following {
  readonly waitMs: number | undefined;
  /** The client went away, or the server closes: answer with how far it has come. */
  readonly signal: AbortSignal;
}

export const changedDescriptions: Readonly<Record<number, AnswerDescription>> = {
  200: { description: 'Accepted; the rollout says who applies it', schema: changedAnswer },
  409: { description: 'If-Match or If-None-Match failed; nothing changed' },
  422: { description: 'Refused, nothing changed; every fault is listed' },
  507: { description: 'The store takes no changes; nothing changed' },
};

export async function answerChanged(
  agents: AgentsPort,
  changed: RuleChanged,
  { waitMs, signal }: Following,
): Promise<Answer> {
  const rollout = await rolloutOf(agents, changed.revision, { waitMs, signal });
  const { revision, changes, warnings } = changed;
  return json(
    { revision, changes: changes.map(withoutContents), warnings, rollout },
    { headers: { etag: tagOf(revision) } },
  );
}

export function answerDryRun({ revision, changes, warnings }: RuleChanged): Answer {
  return json({ revision, changes, warnings, rollout: null });
}

/** As of now, or as soon as it is decided within the time. A wait that is cut short answers as of now too. */
export async function rolloutOf(agents: AgentsPort, revision: number, { waitMs, signal }: Following): Promise<Rollout> {
  if (waitMs === undefined || signal.aborted) return agents.rollout(revision);
  try {
    return await agents.waitFor(revision, waitMs, signal);
  } catch (error) {
    // The revision is accepted whatever becomes of the wait, so only a wait that failed by itself is a failure.
    if (signal.aborted) return agents.rollout(revision);
    throw MeshError.from(error);
  }
}

/** Histories and answers name documents; their contents stand in /revisions/{n} and its diff. */
export function withoutContents({ kind, namespace, name, action }: ResourceChange) {
  return { kind, namespace, name, action };
}
