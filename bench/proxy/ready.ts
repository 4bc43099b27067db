/** When a process that listens on a port of loopback is ready to be measured. */
import { waitUntilOk } from '../../test/support/processes.ts';
import type { TestProcess } from '../../test/support/test-process.ts';

/** Resolves when a request through it comes back with 200; rejects when it ends or takes too long. */
export function waitUntilAnswering(process: TestProcess, port: number): Promise<void> {
  return waitUntilOk(process, `http://127.0.0.1:${port}/100`);
}
