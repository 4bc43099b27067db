import { expect } from 'chai';
import { churn } from '../support/churn.ts';
import { useProcesses } from '../support/processes.ts';

describe('a control plane whose clients come and go for a long time while everything changes', () => {
  const processes = useProcesses();
  const minutes = Number(process.env.SLUICE_CHURN_MINUTES ?? 5);

  it('keeps all who stay up to date, lets no wait hang, and has its memory back', async () => {
    const result = await churn(processes, { ms: minutes * 60_000, services: 200, clients: 200 });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    expect(result).to.deep.include({ wrong: 0, streamsLeft: 0, queueLeft: 0 });
    expect(result.longestWaitMs).to.be.below(10_000);
    expect(result.longestQueue).to.be.at.most(200);
    expect(result.memoryMb.after).to.be.below(result.memoryMb.before * 1.25 + 20);
  }).timeout(minutes * 60_000 + 120_000);
});
