import { expect } from 'chai';
import { agentInfo } from '../../../../server/ports/agents-port.ts';
import { type AgentRecord, createAgentRecord, noCondition } from '../../../../server/status/agent-record.ts';

const nack = { revision: 3, atMs: 0, message: 'unknown subset "v3"', resources: [] };
const upToDate = { hasAnswered: true, touched: 3, applied: 3 };
const behind = { ...upToDate, applied: 2 };
const keepsOld = { name: 'stale', detail: 'it keeps what it has' };

describe('an agent as the REST API shows it', () => {
  const record = (kind: string, more: Partial<AgentRecord>): AgentRecord => ({
    ...createAgentRecord({ id: 'web-1', namespace: 'default', service: 'web', kind }, 0),
    streams: 1,
    ...more,
  });

  const refusal = 'refuses revision 3: unknown subset "v3"';
  const rows: readonly [sentence: string, kind: string, more: Partial<AgentRecord>, state: string, detail: string][] = [
    ['that uses everything has nothing to say', 'agent', upToDate, 'current', ''],
    [
      'that uses everything may say something',
      'agent',
      { ...upToDate, reported: keepsOld },
      'current',
      keepsOld.detail,
    ],
    ['that is a client has accepted it', 'envoy', upToDate, 'accepted', ''],
    ['that has not answered is pending', 'agent', behind, 'pending', 'has not acknowledged yet'],
    ['that refuses a revision says which and why', 'agent', { ...behind, nack }, 'rejected', refusal],
    ['that is a client says which and why, too', 'grpc-c++', { ...behind, nack }, 'rejected', refusal],
    ['that refuses says so before all else', 'agent', { ...behind, nack, reported: keepsOld }, 'rejected', refusal],
    [
      'that went while it refused is not connected',
      'agent',
      { ...behind, nack, streams: 0 },
      'disconnected',
      'not connected; counted until its lease runs out',
    ],
  ];
  for (const [sentence, kind, more, state, detail] of rows) {
    it(sentence, () => {
      const info = agentInfo(record(kind, { reported: noCondition, ...more }), (ms) => new Date(ms).toISOString());
      expect([info.state, info.detail]).to.deep.equal([state, detail]);
    });
  }
});
