/** The crash test in rounds, which the tests and the soak share. */
import { expect } from 'chai';
import { CrashRun } from './crash-run.ts';
import { useProcesses } from './processes.ts';

/** Writers that are killed side by side, each with a data directory of its own. */
const lanes = 2;

export function crashRounds(rounds: number): void {
  const processes = useProcesses();

  it(`loses nothing that it acknowledged, and nothing is half there: ${rounds} rounds`, async function () {
    this.timeout(60_000 + rounds * 5_000);
    const runs = Array.from({ length: lanes }, (_, lane) => new CrashRun(processes, `lane-${lane}`));
    await Promise.all(
      runs.map(async (run) => {
        for (let round = 0; round < rounds / lanes; round++) await run.round();
      }),
    );
    for (const { acknowledged } of runs) {
      // However slow the machine is: half of the writers live until they have acknowledged something.
      expect(acknowledged.revisions).to.be.at.least(rounds / lanes / 5);
      expect(acknowledged.changesOfInstances).to.be.greaterThan(0);
    }
  });
}
