/** What an agent's process holds, seen from outside: by its admin port, and by what the system knows of it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { ask } from '../ask.ts';
import type { AgentProcess } from '../processes.ts';

interface Counted {
  readonly requests: number;
  readonly active: number;
  readonly passed: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly brokenOff: number;
  readonly clientGone: number;
}

interface Traffic extends Counted {
  readonly clusters: Readonly<Record<string, Counted>>;
  readonly openConnections: number;
}

interface Cluster {
  readonly name: string;
  readonly active: Readonly<Record<'connections' | 'pending' | 'requests' | 'retries', number>>;
  readonly instances: readonly {
    readonly instance: string;
    readonly activeRequests: number;
    readonly pool: Readonly<Record<'connections' | 'idle' | 'waiting', number>>;
  }[];
}

export class AgentProbe {
  readonly #agent: AgentProcess;

  constructor(agent: AgentProcess) {
    this.#agent = agent;
  }

  async traffic(): Promise<Readonly<Record<string, Traffic>>> {
    return (await this.#get<{ traffic: Record<string, Traffic> }>('/stats')).traffic;
  }

  /** Requests that have begun, over all of its ports. */
  async requests(): Promise<number> {
    return Object.values(await this.traffic()).reduce((sum, { requests }) => sum + requests, 0);
  }

  /** Resolves when the requests that have begun are in its access log, each with one line, or fails. */
  async hasLogged(): Promise<void> {
    const endMs = performance.now() + 10_000;
    for (;;) {
      const requests = await this.requests();
      const lines = await this.#linesLogged();
      if (lines === requests) return;
      if (performance.now() > endMs) throw new Error(`${lines} lines in the access log for ${requests} requests`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #linesLogged(): Promise<number> {
    const { body } = await ask({ at: this.#agent.admin, target: '/metrics' });
    return Number(/^sluice_agent_access_log_lines_total (\d+)/m.exec(body)?.[1] ?? 0);
  }

  /**
   * Everything that is under way, by what it is called: nothing, when all clients have gone and connections that nobody
   * uses have ended. Counts that do not add up are among it.
   */
  async underWay(): Promise<Record<string, number>> {
    const traffic = await this.traffic();
    const clusters = await this.#get<readonly Cluster[]>('/clusters');
    const counts = [
      ...Object.entries(traffic).flatMap(([listener, of]) => [
        [`connections of clients of ${listener}`, of.openConnections],
        [`requests of ${listener}`, of.active],
        [`requests of ${listener} that ended and are not counted so`, of.requests - of.active - endedOf(of)],
        ...Object.entries(of.clusters).map(([name, { active }]) => [`requests of ${listener} to ${name}`, active]),
      ]),
      ...clusters.flatMap(({ name, active, instances }) => [
        ...Object.entries(active).map(([what, count]) => [`${what} of ${name}`, count]),
        ...instances.flatMap(({ instance, activeRequests, pool }) => [
          [`load of ${instance} in ${name}`, activeRequests],
          ...Object.entries(pool).map(([what, count]) => [`${what} of the pool to ${instance} in ${name}`, count]),
        ]),
      ]),
    ];
    return Object.fromEntries(counts.filter(([, count]) => count !== 0));
  }

  /** Open sockets of its process. */
  get sockets(): number {
    const folder = `/proc/${this.#agent.process.pid}/fd`;
    return readdirSync(folder).filter((name) => {
      try {
        return readlinkSync(`${folder}/${name}`).startsWith('socket:');
      } catch {
        // It was closed meanwhile.
        return false;
      }
    }).length;
  }

  /** Resident memory of its process, in MB. */
  get memory(): number {
    const [, pages] = readFileSync(`/proc/${this.#agent.process.pid}/statm`, 'latin1').split(' ');
    return (Number(pages) * 4_096) / 1_000_000;
  }

  /** Log lines that nobody wants to see. */
  get complaints(): readonly unknown[] {
    const warning = 40;
    return this.#agent.process.log.filter(({ level }) => Number(level) > warning);
  }

  async #get<Body>(path: string): Promise<Body> {
    return JSON.parse((await ask({ at: this.#agent.admin, target: path })).body) as Body;
  }
}

function endedOf({ passed, refused, brokenOff, clientGone }: Counted): number {
  return [...Object.values(passed), ...Object.values(refused), brokenOff, clientGone].reduce(
    (sum, count) => sum + count,
    0,
  );
}
