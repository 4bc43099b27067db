import { expect } from 'chai';
import { churn } from '../support/churn.ts';
import { useProcesses } from '../support/processes.ts';

describe('a control plane whose clients come and go while everything changes', () => {
  const processes = useProcesses();

  it('keeps all who stay up to date, lets no wait hang, and has its memory back', async () => {
    const result = await churn(processes, { ms: 6_000, services: 50, clients: 50 });
    expect(result).to.deep.include({ wrong: 0, streamsLeft: 0, queueLeft: 0 });
    expect(result.longestWaitMs).to.be.below(10_000);
    expect(result.longestQueue).to.be.at.most(50);
    expect(result.memoryMb.after).to.be.below(result.memoryMb.before * 1.5 + 40);
  }).timeout(90_000);
});
