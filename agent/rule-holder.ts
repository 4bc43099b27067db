/**
 * The packet rules of a host are one agent's. Who holds them listens on a socket in the abstract namespace of unix(7): each
 * network namespace has its own, as it has rules of its own, and it is gone with the process, however that ends.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const socketName = '\0sluice-packet-rules';

/** A holder that is stopped, or is no agent, says nothing. */
const answerMs = 1_000;

/** Answers how to let go of them. Rejects with a sentence while another process holds them. */
export async function holdRules(name = socketName): Promise<() => void> {
  const server = createServer((socket) => socket.on('error', () => {}).end(String(process.pid)));
  server.listen(name);
  try {
    await once(server, 'listening');
  } catch (cause) {
    if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'EADDRINUSE') throw cause;
    const holder = await whoHolds(name);
    throw new Error(
      `the packet rules of this host are those of another agent${holder}: end it first, or have one agent for several applications, with entries`,
    );
  }
  // Who asks and could not be accepted may ask again.
  server.on('error', () => {});
  server.unref();
  return () => server.close();
}

/** ` (process 4711)`; '' when it has just ended, or does not answer. */
async function whoHolds(name: string): Promise<string> {
  const socket = connect(name).setEncoding('utf8');
  try {
    const [pid] = await once(socket, 'data', { signal: AbortSignal.timeout(answerMs) });
    return ` (process ${pid})`;
  } catch {
    return '';
  } finally {
    socket.destroy();
  }
}
