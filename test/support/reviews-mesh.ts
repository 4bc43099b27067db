/**
 * What most tests of real processes begin with: a server, the example application with an agent beside each instance, and the
 * agent of a caller. They are started side by side, for what they cost is the time of starting.
 */
import {
  type AgentProcess,
  type Processes,
  type ServerProcess,
  startAgent,
  startReviews,
  startServer,
} from './processes.ts';

export interface ReviewsMeshOptions {
  /** Of the caller's agent, besides its service and id. */
  readonly web?: readonly string[];
  /** Of an agent beside an instance whose application listens there, besides its service, version, id and application. */
  readonly besideOf?: (application: string) => readonly string[];
}

export interface ReviewsMesh {
  readonly server: ServerProcess;
  /** Of the instances reviews-v1 and reviews-v2. */
  readonly beside: readonly AgentProcess[];
  /** Of the caller: agent web-1. */
  readonly web: AgentProcess;
}

const versions = ['v1', 'v2'] as const;

/** Resolves when the instances take requests. */
export async function startReviewsMesh(
  processes: Processes,
  { web = [], besideOf = () => [] }: ReviewsMeshOptions = {},
): Promise<ReviewsMesh> {
  const [server, ...applications] = await Promise.all([
    startServer(processes),
    ...versions.map((version) => startReviews(processes, { version })),
  ]);
  const [caller, ...beside] = await Promise.all([
    startAgent(processes, { server, args: ['--service', 'web', '--id', 'web-1', ...web] }),
    ...applications.map(({ address }, index) => {
      const own = ['--service', 'reviews', '--version', `${versions[index]}`, '--id', `reviews-${versions[index]}`];
      return startAgent(processes, { server, args: [...own, '--app', address, ...besideOf(address)] });
    }),
  ]);
  while (!(await arePassing(server))) await new Promise((resolve) => setTimeout(resolve, 10));
  return { server, beside, web: caller };
}

/** An agent is ready a moment before the registry knows what it has seen of its application. */
async function arePassing({ api }: ServerProcess): Promise<boolean> {
  const response = await fetch(`${api}/api/v1/services/reviews/instances`);
  const { items } = (await response.json()) as { readonly items: readonly { readonly state: string }[] };
  return items.length === versions.length && items.every(({ state }) => state === 'passing');
}
