import { chaosRounds } from '../support/chaos/chaos-rounds.ts';

describe('agents among instances and clients that misbehave', () => {
  chaosRounds({ rounds: 1, roundMs: 5_000, slowMs: 20 });
});
