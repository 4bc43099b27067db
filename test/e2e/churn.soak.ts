import { expect } from 'chai';
import { churn } from '../support/churn/churn.ts';
import { useProcesses } from '../support/processes.ts';

const minutes = Number(process.env.SLUICE_CHURN_MINUTES ?? 5);

describe('a control plane whose clients come and go for a long time while everything changes', () => {
  const processes = useProcesses();

  for (const { name, ...options } of [
    {
      name: 'many clients',
      services: 200,
      clients: 200,
      replaceEveryMs: 20,
      perSecond: { instances: 200, applies: 6 },
    },
    { name: 'a storm', services: 50, clients: 20, replaceEveryMs: 1_000, perSecond: { instances: 1_000, applies: 50 } },
  ]) {
    it(`keeps all who stay up to date, lets no wait hang, and has its memory back: ${name}`, async () => {
      const result = await churn(processes, { ms: minutes * 60_000, ...options });
      process.stdout.write(`${name}: ${JSON.stringify(result)}\n`);
      expect(result).to.deep.include({ wrong: 0, streamsLeft: 0, queueLeft: 0 });
      // A wait has 10 s: then it is answered with who is late, however busy the machine is.
      expect(result.waitMs.longest).to.be.below(20_000);
      expect(result.longestQueue).to.be.at.most(options.clients + 1);
      expect(result.memoryMb.after).to.be.below(result.memoryMb.before * 1.25 + 20);
    }).timeout(minutes * 60_000 + 120_000);
  }
});
