import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type AgentState, openAgentState } from '../../../../agent/state/agent-state.ts';
import { decodeLastGood, type LastGood } from '../../../../agent/state/last-good-format.ts';
import { viewCreator } from '../../../../agent/xds/create-view.ts';
import { systemClock } from '../../../../process/clock.ts';
import { batchOf } from '../xds/mesh-fixture.ts';
import { SessionHarness, silent } from '../xds/session-harness.ts';

function held(revision: number): LastGood {
  const harness = new SessionHarness({ names: ['reviews.default'] });
  harness.start();
  harness.receive(...batchOf(['reviews.default'], { revision }));
  return { held: harness.held, names: ['reviews.default'] };
}

describe('the state of an agent', () => {
  const createView = viewCreator({ agentId: 'web-1', zone: '' }, silent);
  let path: string;
  const open = () => openAgentState({ path, createView, clock: systemClock, log: silent });

  beforeEach(() => {
    path = join(mkdtempSync(join(tmpdir(), 'sluice-state-')), 'web-1');
  });
  afterEach(() => rmSync(path, { recursive: true, force: true }));

  const kept = () => {
    const read = existsSync(join(path, 'last-good'))
      ? decodeLastGood(readFileSync(join(path, 'last-good')))
      : 'nothing';
    return typeof read === 'string' ? read : read.held.revision;
  };
  const startsWith = ({ lastGood }: AgentState) => lastGood.held.revision;

  it('is kept from one run to the next', async () => {
    const first = open();
    expect(startsWith(first)).to.equal(0);
    first.keep(() => held(5));
    await first.close();
    expect(startsWith(open())).to.equal(5);
  });

  describe('with a successor', () => {
    let first: AgentState;
    let second: AgentState;
    beforeEach(() => {
      first = open();
      first.keep(() => held(5));
      second = first.succeed(createView);
    });

    it('is what it was, under the same key', () => {
      expect(startsWith(second)).to.equal(5);
      expect(second.lastGood.view.service('reviews.default')).to.not.equal(undefined);
      expect(second.key).to.equal(first.key);
    });

    it('is what the successor holds from now on, until the last of both has closed', async () => {
      second.keep(() => held(6));
      first.keep(() => held(5));
      await first.close();
      expect(() => open()).to.throw('in use');
      await second.close();
      expect(kept()).to.equal(6);
      expect(startsWith(open())).to.equal(6);
    });

    it("is the first one's again when the successor closes before it", async () => {
      await second.close();
      expect(() => open()).to.throw('in use');
      first.keep(() => held(7));
      await first.close();
      expect(kept()).to.equal(7);
    });

    it('begins anew when the successor can use nothing of it', async () => {
      const refusing = () => ({ refused: [{ typeUrl: 't', name: 'n', reason: 'no' }] });
      expect(startsWith(second.succeed(refusing))).to.equal(0);
    });
  });
});
