/** One look at one instance, over a connection of its own: what an active health check asks. */
import { request } from 'node:http';
import { connect } from 'node:net';
import type { HealthCheckSettings, HttpCheck } from '../resilience/active-health.ts';
import { instanceHeader } from '../view/instance-identity.ts';

/** Who is looked at. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** Whom a request names as the one it is meant for; '' when it names nobody. */
  readonly identity: string;
}

/** Whether the instance passes. Never rejects; false when the signal is aborted. */
export type Probe = (target: ProbeTarget, settings: HealthCheckSettings, signal: AbortSignal) => Promise<boolean>;

export const probeInstance: Probe = async (target, { http }, signal) => {
  try {
    return await (http === undefined ? probeByConnection(target, signal) : probeByRequest(target, http, signal));
  } catch {
    // Node refuses to send what cannot be a header: such an instance cannot be asked.
    return false;
  }
};

/** A longer answer is not read to its end: its status has said it all. */
const mostBodyBytes = 65_536;

/**
 * An instance that stands beside an agent is asked through it, as requests are: the check reaches the application, and an
 * address that someone else has now fails it (421).
 */
function probeByRequest({ address, port, identity }: ProbeTarget, check: HttpCheck, signal: AbortSignal) {
  return new Promise<boolean>((resolve) => {
    const headers = {
      host: check.host,
      'user-agent': 'sluice-health-check',
      ...(identity !== '' && { [instanceHeader]: identity }),
    };
    const sent = request({ host: address, port, path: check.path, headers, agent: false, signal });
    sent.once('error', () => resolve(false));
    sent.once('response', (response) => {
      const { statusCode = 0 } = response;
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > mostBodyBytes) sent.destroy();
      });
      // Also when the answer breaks off: a body is nothing that the check asked for. Its error is followed by this event.
      response.once('close', () => resolve(!signal.aborted && statusCode >= 200 && statusCode < 300));
      response.on('error', () => {});
    });
    sent.end();
  });
}

function probeByConnection({ address, port }: ProbeTarget, signal: AbortSignal) {
  return new Promise<boolean>((resolve) => {
    const socket = connect({ host: address, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
