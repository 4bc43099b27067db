/**
 * Loaded into the profiled process by NODE_OPTIONS: the first SIGUSR2 starts a CPU profile or a sampling of allocations,
 * the second ends it and writes it to PROFILE_FOLDER as PID.json.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

const { PROFILE_KIND: kind, PROFILE_FOLDER: folder } = process.env;
const session = new Session();
session.connect();

const starts = {
  cpu: async () => {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 500 });
    await session.post('Profiler.start');
  },
  allocations: () =>
    session.post('HeapProfiler.startSampling', {
      samplingInterval: 8192,
      // What is garbage already was allocated too.
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    }),
};
const stops = {
  cpu: () => session.post('Profiler.stop'),
  allocations: () => session.post('HeapProfiler.stopSampling'),
};

let isRunning = false;
process.on('SIGUSR2', async () => {
  const wasRunning = isRunning;
  isRunning = true;
  if (!wasRunning) return starts[kind]();
  const { profile } = await stops[kind]();
  const file = join(folder, `${process.pid}.json`);
  writeFileSync(`${file}.part`, JSON.stringify(profile));
  // Whoever waits for it finds all of it.
  renameSync(`${file}.part`, file);
});
