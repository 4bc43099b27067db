import { expect } from 'chai';
import { type AdminAgent, notReadyBefore } from '../../../../agent/admin/admin-agent.ts';

const nothing = () => expect.fail('nobody asks for it');

describe('an agent whose packet rules are not in place', () => {
  for (const { ready, isPrepared, want } of [
    { ready: true, isPrepared: false, want: { ready: false, reason: 'packet rules are not in place yet' } },
    { ready: true, isPrepared: true, want: { ready: true, reason: 'its own' } },
    { ready: false, isPrepared: false, want: { ready: false, reason: 'its own' } },
  ]) {
    it(`is ${want.ready ? '' : 'not '}ready when it is ${ready ? '' : 'not '}otherwise, and they ${isPrepared ? 'are' : 'are not'}`, () => {
      const readiness = () => ({ ready, stale: false, revision: 7, reason: 'its own' });
      const agent: AdminAgent = { report: nothing, mesh: nothing, drain: nothing, readiness };
      expect(notReadyBefore(agent, () => isPrepared).readiness()).to.deep.equal({ stale: false, revision: 7, ...want });
    });
  }
});
