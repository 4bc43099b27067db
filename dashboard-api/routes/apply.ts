/** POST /apply: any number of documents, one revision, all or nothing. */
import { z } from 'zod';
import { type DocumentFile, type LocatedResource, parseDocuments } from '../../model/document.ts';
import { MeshError } from '../../model/errors.ts';
import { filesBody } from '../body.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { author, authorOf, dryRun, ifStoreMatch, message, prune, wait } from '../parameters.ts';
import type { ControlPlane } from '../ports.ts';
import { answerChanged, answerDryRun, changedDescriptions } from '../rule-change.ts';

export function applyEndpoints({ rules, agents }: ControlPlane): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/api/v1/apply',
      summary: 'Apply documents: one revision, all or nothing',
      query: z.strictObject({ dryRun, wait, prune, message }),
      headers: z.object({ 'if-match': ifStoreMatch, 'x-sluice-by': author }),
      body: filesBody,
      answers: changedDescriptions,
      async handle({ query, headers, body, remoteAddress, signal }) {
        const changed = await rules.change({
          put: parseAll(body),
          remove: [],
          by: authorOf(headers['x-sluice-by'], remoteAddress),
          message: query.message,
          dryRun: query.dryRun,
          ...(query.prune === undefined ? {} : { prune: query.prune }),
          ...(headers['if-match'] === undefined ? {} : { ifRevision: headers['if-match'] }),
        });
        if (query.dryRun) return answerDryRun(changed);
        return answerChanged(agents, changed, { waitMs: query.wait, signal });
      },
    }),
  ];
}

/** All documents of all files, or every fault in them; no documents at all is a fault too. */
export function parseAll(files: readonly DocumentFile[]): LocatedResource[] {
  const { resources, problems } = parseDocuments(files);
  if (problems.length > 0) throw MeshError.ofProblems('INVALID_DOCUMENTS', problems);
  if (resources.length === 0) throw new MeshError('NO_DOCUMENTS', []);
  return resources;
}
