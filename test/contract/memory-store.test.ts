/** The store that other tests stand on keeps the law as well, with several servers on one store. */
import { MemoryStore } from '../support/memory-store.ts';
import { runStoreContract } from './store-contract.ts';

runStoreContract('in-memory', async () => {
  const shared = new MemoryStore(100);
  return {
    logCapacity: 100,
    open: async () => shared.open(),
    another: async () => shared.open(),
    cleanUp: async () => {},
  };
});
