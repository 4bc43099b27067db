/** Requests through an Envoy, one after the other on each of some connections that are kept, and what became of them. */
import type { Asked } from './ask.ts';
import { CountingAgent } from './counting-agent.ts';
import type { Envoy } from './envoy.ts';

export interface EnvoyLoad {
  /** How often each body came with status 200; and what else came, or went wrong. */
  readonly answers: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
  /** Connections that were closed on it. */
  readonly closed: number;
  end(): Promise<void>;
}

/** As fast as they are answered. To reviews unless `one` says otherwise. */
export function startLoad(
  envoy: Envoy,
  one = (asked: Pick<Asked, 'agent'>) => envoy.get('reviews', '/', asked),
  callers = 8,
): EnvoyLoad {
  const connections = new CountingAgent(callers);
  const answers: Record<string, number> = {};
  const failures: Record<string, number> = {};
  const count = (counts: Record<string, number>, text: string) => {
    counts[text] = (counts[text] ?? 0) + 1;
  };
  let isOver = false;
  const loops = Array.from({ length: callers }, async () => {
    while (!isOver) {
      try {
        const { status, body } = await one({ agent: connections });
        if (status === 200) count(answers, body);
        else count(failures, `${status} ${body}`);
      } catch (error) {
        count(failures, String(error));
      }
    }
  });
  return {
    answers,
    failures,
    get closed() {
      return connections.closed;
    },
    async end() {
      isOver = true;
      await Promise.all(loops);
      connections.destroy();
    },
  };
}
