/** What clients send where, by their own reports. */
import { z } from 'zod';
import { clusterLoadAnswer, listOf } from '../answers.ts';
import { type Endpoint, endpoint, json } from '../endpoint.ts';
import { cursor, limit, pageOf } from '../page.ts';
import { id, name, namespace } from '../parameters.ts';
import type { ControlPlane } from '../ports.ts';

const loadList = listOf(clusterLoadAnswer);

export function loadEndpoints({ loads }: ControlPlane): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/api/v1/load',
      summary: 'Requests per second by cluster and locality, as agents and clients report them',
      query: z.strictObject({ limit, cursor, namespace, service: name.optional(), client: id.optional() }),
      answers: { 200: { description: 'A page, sorted by cluster', schema: loadList } },
      async handle({ query }) {
        const all = await loads.loads({ client: query.client });
        const wanted = all
          .filter((load) => query.namespace === undefined || load.namespace === query.namespace)
          .filter((load) => query.service === undefined || load.service === query.service);
        return json(pageOf(wanted, ({ cluster }) => cluster, query));
      },
    }),
  ];
}
