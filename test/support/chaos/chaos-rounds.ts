/** The chaos test, which the tests and the soak share. */
import { expect } from 'chai';
import { seededRandom } from '../../unit/routing/resources.ts';
import { useProcesses } from '../processes.ts';
import { ChaosRun } from './chaos-run.ts';

export interface ChaosRounds {
  readonly rounds: number;
  readonly roundMs: number;
  readonly slowMs: number;
}

/** By which an agent may have grown when all is quiet again, in MB: its heap is as large as the last rush wanted it. */
const mostGrowth = 40;

export function chaosRounds({ rounds, roundMs, slowMs }: ChaosRounds): void {
  const processes = useProcesses();

  it(`ends with nothing left over, nobody has seen what was not theirs, and the access log is true: ${rounds} rounds of ${roundMs / 1_000} s`, async function () {
    this.timeout(60_000 + rounds * (roundMs + 60_000));
    const seed = Number(process.env.SLUICE_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const run = new ChaosRun({ processes, slowMs, random: seededRandom(seed) });
    const load = { honest: 16, rude: 16 };
    try {
      await run.start();
      // What the process keeps for good it has taken after this.
      await run.rage(Math.min(roundMs, 2_000), load);
      await run.settle();
      const sockets = run.probes.map((probe) => probe.sockets);
      const memory = run.probes.map((probe) => probe.memory);
      for (let round = 0; round < rounds; round++) {
        await run.rage(roundMs, load);
        const left = await run.settle(sockets);
        const grown = run.probes.map((probe, place) => probe.memory - (memory[place] ?? 0));
        const complaints = [
          ...run.complaints,
          ...run.probes.flatMap((probe) => probe.complaints),
          ...(await run.checkLogs()),
        ];
        expect({ complaints, left }, `seed ${seed}, seen: ${JSON.stringify(run.seen)}`).to.deep.equal({
          complaints: [],
          left: run.probes.map(() => ({})),
        });
        expect(Math.max(...grown), `seed ${seed}: MB more than before, by agent: ${grown}`).to.be.below(mostGrowth);
      }
      console.log(`      ${run.rudeActs} rude acts; lines of the access log: ${JSON.stringify(run.logged)}`);
      expect(Object.values(run.seen).reduce((sum, count) => sum + count, 0)).to.be.greaterThan(rounds * 200);
      expect(run.rudeActs).to.be.greaterThan(rounds * 100);
    } finally {
      await run.close();
    }
  });
}
