import { crashRounds } from '../support/crash-rounds.ts';

describe('a server that is killed with -9 again and again', () => {
  crashRounds(Number(process.env.SLUICE_CRASH_ROUNDS ?? 24));
});
