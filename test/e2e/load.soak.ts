import { expect } from 'chai';
import { useProcesses } from '../support/processes.ts';
import { changeRulesUnderLoad } from '../support/rule-changes/rule-change-run.ts';

describe('real processes under load for a long time', () => {
  const processes = useProcesses();
  const minutes = Number(process.env.SLUICE_LOAD_MINUTES ?? 1);

  it('fail no request, close no connection and split exactly while 100 random rule changes a minute are applied under 5,000 requests a second', async () => {
    const rate = await changeRulesUnderLoad(processes, {
      changes: 100 * minutes,
      everyMs: 600,
      requestsPerSecond: 5_000,
    });
    expect(rate).to.be.greaterThan(4_900);
  }).timeout(minutes * 60_000 + 120_000);
});
