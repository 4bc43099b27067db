/** `sluice get`: one thing, or all of a kind. */
import type { Command } from 'commander';
import { z } from 'zod';
import {
  agentAnswer,
  clusterLoadAnswer,
  instanceAnswer,
  resourceAnswer,
  revisionAnswer,
  serviceAnswer,
  storedAnswer,
} from '../../dashboard-api/answers.ts';
import { type ApiClient, Refused } from '../api-client.ts';
import { type Context, exitCodes, usageError } from '../context.ts';
import { withApi } from '../global-options.ts';
import { example } from '../help.ts';
import { kindsText, parseThing, type Thing } from '../kinds.ts';
import { type Given, given, namespaceOption } from '../options.ts';
import { print } from '../render.ts';
import type { CommandLine } from '../run.ts';
import { agentsTable, documentsTable, instancesTable, loadTable, revisionsTable, servicesTable } from '../tables.ts';

interface Asked {
  readonly client: ApiClient;
  readonly context: Context;
  readonly output: Given['output'];
  readonly namespace: string | undefined;
}

export function completeGet(command: Command, { context, run }: CommandLine): void {
  withApi(command)
    .argument('<kind>', kindsText)
    .argument(
      '[name]',
      'name of a document, id of an agent, number of a revision; for instances and load the name of their service',
    )
    .addOption(namespaceOption())
    .addHelpText(
      'after',
      example('get routes', 'get route reviews-canary -o yaml > route.yaml', 'get instances reviews'),
    )
    .action(
      run(async ([kind = '', name]) => {
        const { client, output, namespace } = given(command, context);
        const asked = { client, context, output, namespace };
        const thing = parseThing(kind);
        if (thing === 'instances') {
          if (name === undefined) throw usageError('get instances: of which service? sluice get instances SERVICE');
          await showInstancesOf(asked, name);
        } else if (thing === 'load') await showLoad(asked, name);
        else if (name === undefined) await showAll(asked, thing);
        else await showOne(asked, thing, name);
        return exitCodes.done;
      }),
    );
}

/** `get instance ID` is what one would write; but ids are unique within a service alone. */
async function showInstancesOf(asked: Asked, service: string): Promise<void> {
  try {
    await showInstances(asked, service);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
    throw new Refused(
      404,
      error.body,
      '; `get instances` takes the name of their service: sluice get instances SERVICE',
    );
  }
}

async function showAll(asked: Asked, thing: Exclude<Thing, 'instances' | 'load'>): Promise<void> {
  const { client, context, output, namespace } = asked;
  const path = `/api/v1/${thing}`;
  const show = (items: readonly unknown[], text: () => string) => print(context, output, { items, next: null }, text);
  switch (thing) {
    case 'services': {
      const services = await client.list(path, { namespace }, serviceAnswer);
      return show(services, () => servicesTable(context.out, services));
    }
    case 'routes':
    case 'trafficpolicies': {
      const stored = await client.list(path, { namespace }, storedAnswer);
      return show(stored, () => documentsTable(context.out, stored));
    }
    case 'agents':
      return showAgents(asked, {});
    case 'revisions': {
      const revisions = await client.list(path, {}, revisionAnswer);
      return show(revisions, () => revisionsTable(context.out, revisions));
    }
  }
}

async function showOne({ client, context, output, namespace }: Asked, thing: Thing, name: string): Promise<void> {
  const path = `/api/v1/${thing}/${encodeURIComponent(name)}`;
  if (thing === 'agents') {
    const { value, body } = await client.ask({ path, query: { namespace }, answer: agentAnswer });
    return print(context, output, body, () => agentsTable(context.out, [value]));
  }
  if (thing === 'revisions') {
    const { value, body } = await client.ask({ path, answer: revisionAnswer });
    return print(context, output, body, () => revisionsTable(context.out, [value]));
  }
  const { value, body, headers } = await client.ask({ path, query: { namespace }, answer: resourceAnswer });
  const revision = Number(headers.get('etag')?.replaceAll('"', '') ?? 0);
  return print(context, output, body, () => documentsTable(context.out, [{ resource: value, revision }]));
}

export async function showInstances({ client, context, output, namespace }: Asked, service: string): Promise<void> {
  const path = `/api/v1/services/${encodeURIComponent(service)}/instances`;
  const instances = await client.list(path, { namespace }, instanceAnswer);
  return print(context, output, { items: instances, next: null }, () => instancesTable(context.out, instances));
}

export async function showAgents(
  { client, context, output, namespace }: Asked,
  { service }: { readonly service?: string | undefined },
): Promise<void> {
  const agents = await client.list('/api/v1/agents', { namespace, service }, agentAnswer);
  return print(context, output, { items: agents, next: null }, () => agentsTable(context.out, agents));
}

/** What agents and clients send, by cluster; of all services or of one. */
async function showLoad({ client, context, output, namespace }: Asked, service: string | undefined): Promise<void> {
  const loads = await client.list('/api/v1/load', { namespace, service }, clusterLoadAnswer);
  return print(context, output, { items: loads, next: null }, () => loadTable(context.out, loads));
}

/** `sluice history`: the newest revisions. */
export async function showHistory({ client, context, output }: Asked, limit: number): Promise<void> {
  const answer = z.object({ items: z.array(revisionAnswer), next: z.string().nullable() });
  const { value, body } = await client.ask({ path: '/api/v1/revisions', query: { limit: String(limit) }, answer });
  return print(context, output, body, () => revisionsTable(context.out, value.items));
}
