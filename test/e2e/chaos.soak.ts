import { chaosRounds } from '../support/chaos/chaos-rounds.ts';

describe('agents among instances and clients that misbehave for a long time', () => {
  chaosRounds({ rounds: Number(process.env.SLUICE_CHAOS_ROUNDS ?? 10), roundMs: 60_000, slowMs: 1_000 });
});
