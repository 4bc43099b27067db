/** What clients that are connected leave out of the rules in force, because their kind cannot do it. */
import { z } from 'zod';
import { clientProblemAnswer, listOf } from '../answers.ts';
import { type Endpoint, endpoint, json } from '../endpoint.ts';
import { cursor, limit, pageOf } from '../page.ts';
import { name, namespace } from '../parameters.ts';
import type { ControlPlane } from '../ports.ts';

const problemList = listOf(clientProblemAnswer);

export function problemEndpoints({ problems }: ControlPlane): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/api/v1/problems',
      summary: 'What the rules ask for and clients that are connected and hold the service cannot do',
      query: z.strictObject({ limit, cursor, namespace, service: name.optional() }),
      answers: { 200: { description: 'A page, sorted by namespace, service and document', schema: problemList } },
      handle({ query }) {
        const wanted = problems
          .problems()
          .filter((problem) => query.namespace === undefined || problem.namespace === query.namespace)
          .filter((problem) => query.service === undefined || problem.service === query.service);
        const keyOf = (problem: (typeof wanted)[number]) =>
          [problem.namespace, problem.service, problem.document, problem.path, problem.clients, problem.message].join(
            '/',
          );
        return json(
          pageOf(
            wanted.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
            keyOf,
            query,
          ),
        );
      },
    }),
  ];
}
