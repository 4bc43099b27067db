/** One real agent in a process of its own. Arguments: server address, state directory, names to ask for (comma list). */
import { loadAgentSettings } from '../../agent/config.ts';
import { startAgent } from '../../agent/start.ts';
import { systemClock } from '../../process/clock.ts';
import { createLog } from '../../process/log.ts';
import { withFile } from '../../process/settings.ts';

const [server, stateDir, count = '0'] = process.argv.slice(2);
const listen = { outbound: '127.0.0.1:0', admin: '127.0.0.1:0' };
const upstream = Array.from({ length: Number(count) }, (_, index) => `service-${index}:80=127.0.0.1:0`);
const flags = {
  service: 'bench',
  id: `bench-${count}`,
  server,
  stateDir,
  ...listen,
  ...(count === '0' ? {} : { upstream }),
};
const loaded = loadAgentSettings(await withFile({ flags, environment: {} }));
if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
const agent = await startAgent(loaded.settings, {
  log: createLog('bench', 'error'),
  clock: systemClock,
  random: Math.random,
});
await agent.ready;
process.once('SIGTERM', () => void agent.close().then(() => process.exit(0)));
process.on('message', () => {
  global.gc?.();
  process.send?.({ collected: true });
});
process.send?.({ ready: true });
