/** The control plane in a process of its own. Argument: its data directory. */
import { createLog } from '../../process/log.ts';
import { withFile } from '../../process/settings.ts';
import { loadServerSettings } from '../../server/config.ts';
import { startServer } from '../../server/main.ts';

const flags = { http: '127.0.0.1:0', grpc: '127.0.0.1:0', dataDir: process.argv[2] };
const loaded = loadServerSettings(await withFile({ flags, environment: {} }));
if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
const server = await startServer(loaded.settings, createLog('bench', 'error'));
process.on('message', () => {
  global.gc?.();
  process.send?.({ collected: true });
});
process.once('SIGTERM', () => void server.close().then(() => process.exit(0)));
process.send?.({ http: server.http, grpc: server.grpc });
