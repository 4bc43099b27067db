/** Who has what: the agents, how far each has come, and what it was sent. */
import { z } from 'zod';
import { MeshError } from '../../model/errors.ts';
import { agentAnswer, listOf } from '../answers.ts';
import { type Endpoint, endpoint, json } from '../endpoint.ts';
import { cursor, limit, pageOf } from '../page.ts';
import { id, name, namespace } from '../parameters.ts';
import type { AgentInfo, ControlPlane } from '../ports.ts';

const notFound = { description: 'No agent has this id' };
const agentList = listOf(agentAnswer);

export function agentEndpoints({ agents, defaultNamespace }: ControlPlane): Endpoint[] {
  const find = (call: { params: { id: string }; query: { namespace?: string | undefined } }): AgentInfo => {
    const agent = agents.agent(call.query.namespace ?? defaultNamespace, call.params.id);
    if (agent === undefined) throw new MeshError('AGENT_NOT_FOUND', [call.params.id]);
    return agent;
  };
  return [
    endpoint({
      method: 'get',
      path: '/api/v1/agents',
      summary: 'All agents with the revisions they were sent and have applied',
      query: z.strictObject({ limit, cursor, namespace, service: name.optional() }),
      answers: { 200: { description: 'A page, sorted by namespace and id', schema: agentList } },
      handle({ query }) {
        const wanted = agents
          .agents()
          .filter((agent) => query.namespace === undefined || agent.namespace === query.namespace)
          .filter((agent) => query.service === undefined || agent.service === query.service);
        return json(pageOf(wanted, (agent) => `${agent.namespace}/${agent.id}`, query));
      },
    }),
    endpoint({
      method: 'get',
      path: '/api/v1/agents/{id}',
      summary: 'One agent',
      params: z.strictObject({ id }),
      query: z.strictObject({ namespace }),
      answers: { 200: { description: 'The agent', schema: agentAnswer }, 404: notFound },
      handle: (call) => json(find(call)),
    }),
    endpoint({
      method: 'get',
      path: '/api/v1/agents/{id}/config',
      summary: 'What an agent was sent, as proto3 JSON by type URL and name',
      params: z.strictObject({ id }),
      query: z.strictObject({ namespace }),
      answers: { 200: { description: 'Its resources', schema: z.unknown() }, 404: notFound },
      handle(call) {
        const agent = find(call);
        return json(agents.config(agent.namespace, agent.id) ?? {});
      },
    }),
  ];
}
