import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../server/store/embedded-store.ts';
import type { Store } from '../../server/store/store.ts';
import { runStoreContract } from './store-contract.ts';

runStoreContract('embedded', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  const opened: Store[] = [];
  return {
    logCapacity: 10_000,
    open: async () => {
      const store = await openEmbeddedStore(dataDir);
      opened.push(store);
      return store;
    },
    // The directory is held by one server at a time.
    another: async (first) => first,
    cleanUp: async () => {
      for (const store of opened) await store.close();
      await rm(dataDir, { recursive: true });
    },
  };
});
