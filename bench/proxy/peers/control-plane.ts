/** `sluice server` for the agents that are measured, and the calls of its REST API that set the scene. */
import { findFreePorts, type Processes, programs, waitUntilOk } from '../../../test/support/processes.ts';
import type { TestProcess } from '../../../test/support/test-process.ts';
import { startBeside } from '../pinned.ts';

export interface ControlPlane {
  readonly process: TestProcess;
  /** For `--server`. */
  readonly grpc: string;
  /** Resolves when all agents have applied them. */
  apply(documents: readonly object[]): Promise<void>;
  register(service: string, id: string, instance: object): Promise<void>;
  /** Resolves when the instance takes requests. */
  untilPassing(service: string, id: string): Promise<void>;
}

export async function startControlPlane(processes: Processes): Promise<ControlPlane> {
  const [http = 0, grpc = 0] = await findFreePorts(2);
  const ports = ['--http', `127.0.0.1:${http}`, '--grpc', `127.0.0.1:${grpc}`];
  const dataDir = ['--data-dir', processes.makeFolder(`server-${http}`)];
  const command = [process.execPath, programs.sluice, 'server', ...ports, ...dataDir];
  const started = startBeside(processes, command, 'sluice server');
  await waitUntilOk(started, `http://127.0.0.1:${http}/readyz`);
  const api = `http://127.0.0.1:${http}/api/v1`;
  return {
    process: started,
    grpc: `127.0.0.1:${grpc}`,
    async apply(documents) {
      const files = documents.map((document, index) => ({ name: `${index}.json`, text: JSON.stringify(document) }));
      await call('POST', `${api}/apply?wait=10s`, { files });
    },
    async register(service, id, instance) {
      await call('PUT', `${api}/services/${service}/instances/${id}`, instance);
    },
    async untilPassing(service, id) {
      for (let attempt = 0; ; attempt++) {
        const { items } = await call('GET', `${api}/services/${service}/instances`);
        if (Array.isArray(items) && items.some((item) => item.id === id && item.state === 'passing')) return;
        if (attempt > mostAttempts) throw new Error(`${id} is not passing: ${JSON.stringify(items)}`);
        await new Promise((resolve) => setTimeout(resolve, askAgainMs));
      }
    },
  };
}

const askAgainMs = 25;
const mostAttempts = 400;

async function call(method: string, url: string, body?: object): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return JSON.parse(text);
}
