import { expect } from 'chai';
import { backoffMs, shouldRetry, type TryOutcome } from '../../../../agent/resilience/retry.ts';
import type { RetryPolicy } from '../../../../routing/retry-policy.ts';

const nothing: RetryPolicy = {
  attempts: 2,
  onConnectFailure: false,
  onRefused: false,
  onReset: false,
  statuses: new Set(),
  perTryTimeoutMs: 0,
  backoffBaseMs: 25,
  backoffMaxMs: 250,
};

const outcomes: readonly TryOutcome[] = ['connect-failure', 'refused', 'reset', 500, 502, 503];

describe('a retry', () => {
  for (const { name, policy, want } of [
    { name: 'nothing', policy: {}, want: [] },
    { name: 'a connection that was not made', policy: { onConnectFailure: true }, want: ['connect-failure'] },
    { name: 'an upstream that has not begun', policy: { onRefused: true }, want: ['refused'] },
    { name: 'a connection that ended', policy: { onReset: true }, want: ['reset'] },
    { name: 'statuses, those alone', policy: { statuses: new Set([502, 503]) }, want: [502, 503] },
  ] as const) {
    it(`follows ${name}`, () =>
      expect(outcomes.filter((outcome) => shouldRetry({ ...nothing, ...policy }, outcome, 0))).to.deep.equal(want));
  }

  it('is made as often as the policy says', () => {
    const policy = { ...nothing, onReset: true };
    expect([0, 1, 2, 3].map((retries) => shouldRetry(policy, 'reset', retries))).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });

  it('waits for anything below an end that doubles, up to the longest', () => {
    const longest = [0, 1, 2, 3, 4, 60].map((retries) => backoffMs(nothing, retries, () => 1 - 2 ** -53));
    expect(longest).to.deep.equal([24, 74, 174, 249, 249, 249]);
    expect(backoffMs(nothing, 0, () => 0)).to.equal(0);
    expect(backoffMs(nothing, 1, () => 0.5)).to.equal(37);
  });
});
