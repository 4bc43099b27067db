/** History: every revision with who, when and why; what lies between two of them; and the way back. */
import { z } from 'zod';
import { MeshError } from '../../model/errors.ts';
import { canonicalJson, type Resource, resourceKey } from '../../model/resource.ts';
import type { ResourceChange, RevisionRecord } from '../../model/revision.ts';
import { diffAnswer, listOf, revisionAnswer, revisionInFullAnswer, rolloutAnswer } from '../answers.ts';
import { type Endpoint, endpoint, json } from '../endpoint.ts';
import { cursor, cursorOf, limit } from '../page.ts';
import { author, authorOf, message, revision, wait } from '../parameters.ts';
import type { ControlPlane, RulesPort } from '../ports.ts';
import { answerChanged, changedDescriptions, rolloutOf, withoutContents } from '../rule-change.ts';

const params = z.strictObject({ revision });
const notFound = { description: 'There is no such revision' };
const revisionList = listOf(revisionAnswer);

export function revisionEndpoints({ rules, agents }: ControlPlane): Endpoint[] {
  const find = async (number: number): Promise<RevisionRecord> => {
    const record = number === 0 ? undefined : await rules.revisionRecord(number);
    if (record === undefined) throw new MeshError('REVISION_NOT_FOUND', [number]);
    return record;
  };
  return [
    endpoint({
      method: 'get',
      path: '/api/v1/revisions',
      summary: 'The history, newest first',
      query: z.strictObject({ limit, cursor: cursor.pipe(revision.optional()) }),
      answers: { 200: { description: 'A page', schema: revisionList } },
      async handle({ query: { limit, cursor } }) {
        // One more than asked for tells whether there is a next page.
        const found = await rules.revisions({ limit: limit + 1, ...(cursor === undefined ? {} : { before: cursor }) });
        const shown = found.slice(0, limit);
        const next = found.length > limit ? cursorOf(String(shown.at(-1)?.revision ?? 0)) : null;
        return json({
          items: shown.map((record) => ({ ...record, changes: record.changes.map(withoutContents) })),
          next,
        });
      },
    }),
    endpoint({
      method: 'get',
      path: '/api/v1/revisions/{revision}',
      summary: 'One revision with every document it changed, before and after',
      params,
      answers: { 200: { description: 'The revision', schema: revisionInFullAnswer }, 404: notFound },
      handle: async (call) => json(await find(call.params.revision)),
    }),
    endpoint({
      method: 'get',
      path: '/api/v1/revisions/{revision}/diff',
      summary: 'What lies between the rules at this revision and at another one (`to`; without it the newest)',
      params,
      query: z.strictObject({ to: revision.optional() }),
      answers: { 200: { description: 'The documents that differ', schema: diffAnswer }, 404: notFound },
      async handle(call) {
        const from = call.params.revision;
        const to = call.query.to ?? rules.revision;
        return json({ from, to, changes: difference(await stateAt(rules, from), await stateAt(rules, to)) });
      },
    }),
    endpoint({
      method: 'get',
      path: '/api/v1/revisions/{revision}/rollout',
      summary: 'How far a revision has come',
      params,
      query: z.strictObject({ wait }),
      answers: { 200: { description: 'The rollout', schema: rolloutAnswer }, 404: notFound },
      async handle({ params: { revision }, query, signal }) {
        await find(revision);
        return json(await rolloutOf(agents, revision, { waitMs: query.wait, signal }));
      },
    }),
    endpoint({
      method: 'post',
      path: '/api/v1/revisions/{revision}/rollback',
      summary: 'Back to how the rules stood at this revision (0: no rules); itself a new revision',
      params,
      query: z.strictObject({ wait, message }),
      headers: z.object({ 'x-sluice-by': author }),
      answers: { ...changedDescriptions, 404: notFound },
      async handle({ params: { revision }, query, headers, remoteAddress, signal }) {
        // Before the first revision there were no rules: no record, but a state to go back to.
        if (revision !== 0) await find(revision);
        const changed = await rules.rollback(revision, {
          by: authorOf(headers['x-sluice-by'], remoteAddress),
          message: query.message,
        });
        return answerChanged(agents, changed, { waitMs: query.wait, signal });
      },
    }),
  ];
}

async function stateAt(rules: RulesPort, revision: number): Promise<ReadonlyMap<string, Resource>> {
  return new Map((await rules.resourcesAt(revision)).map((resource) => [resourceKey(resource), resource]));
}

/** Sorted by key. */
export function difference(from: ReadonlyMap<string, Resource>, to: ReadonlyMap<string, Resource>): ResourceChange[] {
  const keys = [...new Set([...from.keys(), ...to.keys()])].sort();
  return keys.flatMap((key) => {
    const before = from.get(key) ?? null;
    const after = to.get(key) ?? null;
    const named = after ?? before;
    if (named === null) return [];
    if (before !== null && after !== null && canonicalJson(before) === canonicalJson(after)) return [];
    const { kind, metadata } = named;
    const action = before === null ? 'created' : after === null ? 'deleted' : 'updated';
    return [{ kind, namespace: metadata.namespace, name: metadata.name, action, before, after }];
  });
}
