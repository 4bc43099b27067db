/** The forwarder that anybody writes on node:http. */
import { join } from 'node:path';
import { findFreePorts } from '../../../test/support/processes.ts';
import { startPinned } from '../pinned.ts';
import { waitUntilAnswering } from '../ready.ts';
import type { Peer } from './peer.ts';

const program = join(import.meta.dirname, '../programs/node-forwarder.mjs');

export const nodeHttp: Peer = {
  name: 'node:http',
  version: () => process.versions.node,
  async start({ processes, split, routes }) {
    const [port = 0] = await findFreePorts(1);
    const shares = split.map((share) => `${share.port}=${share.weight}`);
    const command = [process.execPath, program, String(port), String(routes), ...shares];
    const started = startPinned(processes, command, { name: 'node:http' });
    await waitUntilAnswering(started, port);
    const close = async () => {
      await started.kill();
    };
    return { port, measured: [started], close };
  },
};
