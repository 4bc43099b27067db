/**
 * One scenario with all peers side by side: they run at the same time, but one after the other is loaded, round by round
 * (A B C A B C …), so that what else the machine does meets all of them alike.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Processes } from '../../test/support/processes.ts';
import { Cost } from './cpu.ts';
import type { Peer, RunningProxy, Setup, Share } from './peers/peer.ts';

export interface Effort {
  readonly rounds: number;
  /** Of each load. */
  readonly seconds: number;
  /** Before the first round. */
  readonly warmUpSeconds: number;
  /** How long idle connections are left alone. */
  readonly idleSeconds: number;
}

export interface Place {
  readonly processes: Processes;
  /** Of the backends, with their weights. */
  readonly split: readonly Share[];
  readonly effort: Effort;
}

/** What one peer has done. */
export interface Result<Sample> {
  readonly peer: string;
  /** One a round; fewer when it failed. */
  readonly samples: readonly Sample[];
  readonly idleRssBytes: number;
  /** After the last round. */
  readonly rssBytes: number;
  /** Why it was not measured to the end. */
  readonly fault: string | undefined;
}

export interface Trial<Sample> {
  readonly hops: 1 | 2;
  readonly routes: number;
  /** Before the first round, for what a process does only once. */
  readonly warmUp: (proxy: RunningProxy) => Promise<unknown>;
  /** A round of one proxy. */
  readonly sample: (proxy: RunningProxy, cost: Cost) => Promise<Sample>;
}

/** A peer that fails is no reason to lose what the others have done: its result says why. */
export async function measure<Sample>(
  trial: Trial<Sample>,
  peers: readonly Peer[],
  { processes, split, effort }: Place,
): Promise<Result<Sample>[]> {
  const setup: Setup = { processes, split, routes: trial.routes };
  const runs = peers.map((peer) => new Run(peer, trial));
  try {
    for (const run of runs) await run.start(setup);
    for (const run of runs) await run.warmUp();
    for (let round = 0; round < effort.rounds; round++) {
      for (const run of runs) await run.round();
    }
    return runs.map((run) => run.result());
  } finally {
    for (const run of runs) await run.close();
  }
}

class Run<Sample> {
  readonly #peer: Peer;
  readonly #trial: Trial<Sample>;
  readonly #samples: Sample[] = [];
  #running: { readonly proxy: RunningProxy; readonly cost: Cost } | undefined;
  #idleRssBytes = 0;
  #fault: string | undefined;

  constructor(peer: Peer, trial: Trial<Sample>) {
    this.#peer = peer;
    this.#trial = trial;
  }

  start(setup: Setup): Promise<void> {
    return this.#attempt(async () => {
      const proxy = await startHops(this.#peer, setup, this.#trial.hops);
      const cost = new Cost(proxy.measured);
      this.#running = { proxy, cost };
      this.#idleRssBytes = cost.rssBytes();
    });
  }

  warmUp(): Promise<void> {
    return this.#attempt(async () => {
      if (this.#running) await this.#trial.warmUp(this.#running.proxy);
    });
  }

  round(): Promise<void> {
    return this.#attempt(async () => {
      if (this.#running) this.#samples.push(await this.#trial.sample(this.#running.proxy, this.#running.cost));
    });
  }

  result(): Result<Sample> {
    return {
      peer: this.#peer.name,
      samples: this.#samples,
      idleRssBytes: this.#idleRssBytes,
      rssBytes: this.#running?.cost.rssBytes() ?? 0,
      fault: this.#fault,
    };
  }

  async close(): Promise<void> {
    await this.#running?.proxy.close();
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    if (this.#fault !== undefined) return;
    const over = new AbortController();
    const tooLong = sleep(mostStepMs, undefined, { signal: over.signal }).then(() => {
      throw new Error(`took longer than ${mostStepMs / 1000} s`);
    });
    try {
      await Promise.race([step(), tooLong]);
    } catch (cause) {
      this.#fault = cause instanceof Error ? cause.message : String(cause);
    } finally {
      tooLong.catch(() => {});
      over.abort();
    }
  }
}

/** Of a start, a warm-up or a round: a proxy that hangs does not hold up the bench. */
const mostStepMs = 120_000;

/** What a load has cost beside what it answers. */
export async function costOf<Answer>(
  cost: Cost,
  load: () => Promise<Answer>,
): Promise<{ readonly cpuUs: number; readonly answer: Answer }> {
  const before = cost.cpuUs();
  const answer = await load();
  return { cpuUs: cost.cpuUs() - before, answer };
}

/** With two hops the first splits between two that have one backend each. */
async function startHops(peer: Peer, setup: Setup, hops: 1 | 2): Promise<RunningProxy> {
  if (hops === 1) return peer.start(setup);
  if (peer.startTwoHops) return peer.startTwoHops(setup);
  const behind: RunningProxy[] = [];
  for (const share of setup.split) behind.push(await peer.start({ ...setup, split: [share], routes: 0 }));
  const split = behind.map(({ port }, index) => ({ port, weight: setup.split[index]?.weight ?? 1 }));
  const first = await peer.start({ ...setup, split });
  const all = [first, ...behind];
  const close = async () => {
    for (const each of all) await each.close();
  };
  return { port: first.port, measured: all.flatMap(({ measured }) => measured), close };
}
