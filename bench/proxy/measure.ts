/**
 * One scenario with all peers side by side: they run at the same time, but one after the other is loaded, round by round
 * (A B C A B C …), so that what else the machine does meets all of them alike.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Processes } from '../../test/support/processes.ts';
import { median, percentile } from '../support/figures.ts';
import { Cost } from './cpu.ts';
import { pace } from './load/pace.ts';
import { saturate } from './load/saturate.ts';
import type { Peer, RunningProxy, Setup, Share } from './peers/peer.ts';
import type { Scenario } from './scenarios.ts';

export interface Effort {
  readonly rounds: number;
  /** Of each of the two loads of a round. */
  readonly seconds: number;
  /** Before the first round, at saturation. */
  readonly warmUpSeconds: number;
}

/** Medians over the rounds, of one peer in one scenario. */
export interface Figures {
  readonly peer: string;
  /** CPU microseconds per request, at saturation. */
  readonly cpuUs: number;
  readonly requestsPerSecond: number;
  /** How busy its core was with it at saturation: below 0.9 something else was the limit. */
  readonly busy: number;
  /** The same at half of that rate. */
  readonly pacedCpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly idleRssBytes: number;
  readonly rssBytes: number;
}

export interface Place {
  readonly processes: Processes;
  readonly split: readonly Share[];
}

const connections = 32;

export async function measure(
  scenario: Scenario,
  peers: readonly Peer[],
  effort: Effort,
  { processes, split }: Place,
): Promise<Figures[]> {
  const setup: Setup = { processes, split, routes: scenario.routes };
  const runs: Run[] = [];
  try {
    for (const peer of peers) {
      const proxy = await startHops(peer, setup, scenario.hops);
      runs.push(new Run(peer, proxy, scenario, processes));
    }
    for (const run of runs) await run.warmUp(effort);
    for (let round = 0; round < effort.rounds; round++) {
      for (const run of runs) await run.round(effort);
    }
    return runs.map((run) => run.figures());
  } finally {
    for (const run of runs) await run.close();
  }
}

interface Sample extends Omit<Figures, 'peer' | 'idleRssBytes' | 'rssBytes'> {}

class Run {
  readonly #peer: Peer;
  readonly #proxy: RunningProxy;
  readonly #cost: Cost;
  readonly #scenario: Scenario;
  readonly #processes: Processes;
  readonly #idleRssBytes: number;
  readonly #samples: Sample[] = [];

  constructor(peer: Peer, proxy: RunningProxy, scenario: Scenario, processes: Processes) {
    this.#peer = peer;
    this.#proxy = proxy;
    this.#cost = new Cost(proxy.measured);
    this.#scenario = scenario;
    this.#processes = processes;
    this.#idleRssBytes = this.#cost.rssBytes();
  }

  async warmUp({ warmUpSeconds }: Effort): Promise<void> {
    await this.#saturate(warmUpSeconds);
  }

  async round({ seconds }: Effort): Promise<void> {
    const atLimit = await this.#measureCpu(() => this.#saturate(seconds));
    const { requestsPerSecond } = atLimit.result;
    // So that the connections of the load before are gone.
    await sleep(100);
    const half = await this.#measureCpu(() => this.#pace(seconds, requestsPerSecond / 2));
    this.#samples.push({
      cpuUs: atLimit.cpuUs / atLimit.result.requests,
      requestsPerSecond,
      busy: atLimit.cpuUs / (seconds * 1_000_000),
      pacedCpuUs: half.cpuUs / half.result.requests,
      p50Ms: percentile([...half.result.latenciesMs], 50),
      p99Ms: percentile([...half.result.latenciesMs], 99),
    });
  }

  figures(): Figures {
    const medianOf = (key: keyof Sample) => median(this.#samples.map((sample) => sample[key]));
    return {
      peer: this.#peer.name,
      cpuUs: medianOf('cpuUs'),
      requestsPerSecond: medianOf('requestsPerSecond'),
      busy: medianOf('busy'),
      pacedCpuUs: medianOf('pacedCpuUs'),
      p50Ms: medianOf('p50Ms'),
      p99Ms: medianOf('p99Ms'),
      idleRssBytes: this.#idleRssBytes,
      rssBytes: this.#cost.rssBytes(),
    };
  }

  close(): Promise<void> {
    return this.#proxy.close();
  }

  #saturate(seconds: number) {
    const { requests } = this.#scenario;
    return saturate(this.#processes, { port: this.#proxy.port, requests, connections, seconds });
  }

  #pace(seconds: number, requestsPerSecond: number) {
    const { requests, isFresh } = this.#scenario;
    return pace({ port: this.#proxy.port, requests, connections, seconds, requestsPerSecond, isFresh });
  }

  async #measureCpu<Result>(load: () => Promise<Result>): Promise<{ cpuUs: number; result: Result }> {
    const before = this.#cost.cpuUs();
    const result = await load();
    return { cpuUs: this.#cost.cpuUs() - before, result };
  }
}

/** With two hops the first splits between two that have one backend each. */
export async function startHops(peer: Peer, setup: Setup, hops: 1 | 2): Promise<RunningProxy> {
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
