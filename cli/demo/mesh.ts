/** The mesh of the demo: a server, three instances of reviews and a client, each with its agent, on free ports. */
import { join } from 'node:path';
import { z } from 'zod';
import { instanceAnswer } from '../../dashboard-api/answers.ts';
import { ApiClient } from '../api-client.ts';
import { CommandError, type Context } from '../context.ts';
import { type Children, type LogLine, programs } from './children.ts';

export interface DemoMesh {
  readonly client: ApiClient;
  /** Where the client's agent takes requests: HOST:PORT. */
  readonly outbound: string;
}

const workloads = [
  { id: 'reviews-v1-a', version: 'v1' },
  { id: 'reviews-v1-b', version: 'v1' },
  { id: 'reviews-v2-a', version: 'v2' },
] as const;

const freePort = '127.0.0.1:0';
const startLimitMs = 60_000;
const askAgainMs = 25;

/** Resolves when all agents are ready and all instances pass. `folder` holds what the processes keep. */
export async function startMesh(children: Children, folder: string, context: Context): Promise<DemoMesh> {
  const server = children.start('server', programs.sluice, [
    'server',
    ...['--http', freePort, '--grpc', freePort, '--data-dir', join(folder, 'server')],
  ]);
  const { http, grpc } = await server.line(serverAddresses);
  const client = new ApiClient(`http://${http}`, context);
  const common = ['--server', grpc, '--outbound', freePort, '--admin', freePort];

  const startAgent = async (id: string, args: readonly string[]): Promise<string> => {
    const all = ['agent', '--id', id, '--state-dir', join(folder, id), ...common, ...args];
    const { outbound, admin } = await children.start(`agent ${id}`, programs.sluice, all).line(agentAddresses);
    await until(`agent ${id} is not ready`, async () => (await context.fetch(`http://${admin}/ready`)).ok);
    return outbound;
  };
  const startReviews = async ({ id, version }: (typeof workloads)[number]): Promise<void> => {
    const args = ['--port', '0', '--version', version, '--instance', id];
    const port = await children.start(id, programs.reviews, args).line(listeningPort);
    const app = ['--service', 'reviews', '--version', version, '--app', `127.0.0.1:${port}`, '--inbound', freePort];
    await startAgent(id, app);
  };
  const [outbound] = await Promise.all([startAgent('shop', ['--service', 'shop']), ...workloads.map(startReviews)]);
  await until('not all instances of reviews pass their checks', () => areAllPassing(client));
  return { client, outbound };
}

async function areAllPassing(client: ApiClient): Promise<boolean> {
  const instances = await client.list('/api/v1/services/reviews/instances', {}, instanceAnswer);
  return instances.filter(({ state }) => state === 'passing').length === workloads.length;
}

/** Asks again until the answer is yes; what is not there yet counts as no. */
async function until(otherwise: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + startLimitMs;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > endMs) throw new CommandError(`${otherwise} after ${startLimitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, askAgainMs));
  }
}

const serverLine = z.object({ msg: z.literal('serving'), http: z.string(), grpc: z.string() });
const agentLine = z.object({ msg: z.literal('listening'), outbound: z.string(), admin: z.string() });
const reviewsLine = z.object({ msg: z.literal('listening'), port: z.number() });

const serverAddresses = (line: LogLine) => serverLine.safeParse(line).data;
const agentAddresses = (line: LogLine) => agentLine.safeParse(line).data;
const listeningPort = (line: LogLine) => reviewsLine.safeParse(line).data?.port;
