import { crashRounds } from '../support/crash-rounds.ts';

describe('a server that is killed with -9 for a long time', () => {
  crashRounds(Number(process.env.SLUICE_CRASH_ROUNDS ?? 1_000));
});
