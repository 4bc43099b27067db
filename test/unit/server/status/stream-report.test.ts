import { expect } from 'chai';
import { pino } from 'pino';
import { Rush } from '../../../../server/registry/rush.ts';
import { AgentDirectory } from '../../../../server/status/agent-directory.ts';
import type { AgentRecord } from '../../../../server/status/agent-record.ts';
import { Rollouts } from '../../../../server/status/rollouts.ts';
import { RecordedStream } from '../../../../server/status/stream-report.ts';
import type { StreamIdentity } from '../../../../server/xds/identity.ts';
import { MemoryStore } from '../../../support/memory-store.ts';

describe('the report of a stream', () => {
  const clock = () => 1_000;
  let directory: AgentDirectory;
  let refusals: string[];

  beforeEach(() => {
    refusals = [];
    directory = new AgentDirectory({
      store: new MemoryStore().open(),
      log: pino({ level: 'silent' }),
      clock,
      rush: new Rush(clock),
      rollouts: new Rollouts(() => {}),
      onAgent: () => {},
      onUsed: () => {},
    });
  });

  const open = (more: Partial<StreamIdentity> = {}) =>
    RecordedStream.open(
      {
        id: 'web-1',
        namespace: 'default',
        service: 'web',
        zone: '',
        userAgent: 'sluice',
        kind: 'agent',
        metadata: {},
        version: '1.0.0',
        hasApp: false,
        presented: { meshId: '', revision: 0 },
        ...more,
      },
      {
        directory,
        meshId: 'mesh-1',
        revision: () => 5,
        wallClock: () => 77,
        onRefusal: (agent, { revision }) => refusals.push(`${agent.id} refuses ${revision}`),
      },
    );

  const hold = () => directory.hold({ id: 'web-1', namespace: 'default', service: 'web', keyHash: 'x' });

  describe('begins with what the agent presents, whatever its earlier self had applied', () => {
    for (const { name, presented, want } of [
      { name: 'a revision of this mesh', presented: { meshId: 'mesh-1', revision: 4 }, want: 4 },
      { name: 'nothing', presented: { meshId: '', revision: 0 }, want: 0 },
      {
        name: 'a revision of another mesh, which says nothing here',
        presented: { meshId: 'mesh-9', revision: 4 },
        want: 0,
      },
      { name: 'a revision that this server never had', presented: { meshId: 'mesh-1', revision: 6 }, want: 0 },
    ]) {
      it(name, async () => {
        const record = await hold();
        Object.assign(record, { applied: 5, appliedSequence: 9 });
        expect(open({ presented }).record).to.equal(record);
        expect([record.applied, record.appliedSequence, record.streams]).to.deep.equal([want, 0, 1]);
      });
    }
  });

  it('writes down what is sent, applied and refused', async () => {
    const stream = open();
    const { record } = stream;
    stream.onSent(3, 1);
    stream.onSent(2, 4);
    stream.onApplied({ is: 'applied', revision: 2, sequence: 11, isRefusing: false });
    stream.onRefused({ is: 'refused', revision: 3, message: 'no', resources: [] });
    stream.onNames(['reviews.default']);
    expect(record).to.deep.include({
      sent: 3,
      touched: 4,
      hasAnswered: true,
      applied: 2,
      appliedSequence: 11,
      nack: { revision: 3, atMs: 77, message: 'no', resources: [] },
      names: ['reviews.default'],
      version: '1.0.0',
    } satisfies Partial<AgentRecord>);
    expect(refusals).to.deep.equal(['web-1 refuses 3']);
  });

  for (const { name, applied, isRefusing, isKept } of [
    { name: 'keeps a refusal while the agent stays behind it', applied: 2, isRefusing: false, isKept: true },
    { name: 'forgets a refusal when the agent applies that revision', applied: 3, isRefusing: false, isKept: false },
    { name: 'forgets a refusal when the agent applies a later one', applied: 4, isRefusing: false, isKept: false },
    {
      name: 'keeps a refusal when a client goes on with a later one without it',
      applied: 4,
      isRefusing: true,
      isKept: true,
    },
  ]) {
    it(name, () => {
      const stream = open();
      const { record } = stream;
      stream.onRefused({ is: 'refused', revision: 3, message: 'no', resources: [] });
      stream.onApplied({ is: 'applied', revision: applied, sequence: 1, isRefusing });
      expect(record.nack !== undefined).to.equal(isKept);
    });
  }

  it('of a client with several streams is as far as the last one of those that are concerned', () => {
    const [clusters, routes, secrets] = [1, 2, 3].map(() => open({ userAgent: 'envoy', kind: 'envoy' }));
    const applies = (stream: typeof clusters, revision: number) =>
      stream?.onApplied({ is: 'applied', revision, sequence: revision, isRefusing: false });
    for (const stream of [clusters, routes, secrets]) applies(stream, 1);
    for (const stream of [clusters, routes]) stream?.onTouched(2);
    applies(clusters, 2);
    expect(clusters?.record.applied).to.equal(1);
    applies(routes, 2);
    expect(clusters?.record.applied).to.equal(2);
  });

  it('of a client with several streams uses a state when those that it concerns do, and refuses what one of them does', () => {
    const [listeners, endpoints] = [1, 2].map(() => open({ userAgent: 'envoy', kind: 'envoy' }));
    const applies = (stream: typeof listeners, sequence: number, isRefusing = false) =>
      stream?.onApplied({ is: 'applied', revision: 5, sequence, isRefusing });
    for (const stream of [listeners, endpoints]) stream?.onNoted(7);
    applies(listeners, 7);
    expect(listeners?.record.appliedSequence).to.equal(0);
    applies(endpoints, 7);
    expect(listeners?.record.appliedSequence).to.equal(7);
    endpoints?.onRefused({ is: 'refused', revision: 5, message: 'no', resources: [] });
    applies(listeners, 8);
    expect(listeners?.record.nack?.revision).to.equal(5);
    applies(endpoints, 8);
    expect(listeners?.record.nack).to.equal(undefined);
  });

  it('of an agent leaves its record when the stream ends; its lease decides', async () => {
    const record = await hold();
    open().onClosed();
    expect([directory.size, record.streams]).to.deep.equal([1, 0]);
  });

  it('of a client of another make takes its record with it', () => {
    const stream = open({ userAgent: 'envoy', kind: 'envoy' });
    const { record } = stream;
    expect([record.key, record.kind]).to.deep.equal(['envoy:default/web-1', 'envoy']);
    stream.onClosed();
    expect(directory.size).to.equal(0);
  });

  it('of a client of another make never stands for an agent, whatever it calls itself', async () => {
    const record = await hold();
    for (const userAgent of ['agent', 'sluice']) {
      expect(open({ userAgent, kind: 'envoy' }).record).to.not.equal(record);
    }
  });

  it('of a client that does not say what it is calls it unknown', () => {
    expect(open({ userAgent: '', kind: 'envoy' }).record.kind).to.equal('unknown');
  });
});
