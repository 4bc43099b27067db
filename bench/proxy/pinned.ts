/**
 * Processes bound to a core: what is measured has one core, and all that loads it (this process, the backends, wrk) has
 * the others. None of them outlives the bench, not even when that is killed.
 */
import { spawnSync } from 'node:child_process';
import { cpus, setPriority } from 'node:os';
import type { Processes } from '../../test/support/processes.ts';
import type { TestProcess } from '../../test/support/test-process.ts';

/** Where the proxy runs that is measured. */
const proxyCore = '0';

/** Before what else the machine does, as far as the user may. */
const niceness = -10;

/** Binds this process, and so all that it starts. Throws where there are no two cores. */
export function pinLoad(): void {
  const last = cpus().length - 1;
  if (last < 1) throw new Error('the bench needs two cores: one for the proxy, one for its load');
  const { status, stderr } = spawnSync('taskset', [
    '--all-tasks',
    '--cpu-list',
    '--pid',
    `1-${last}`,
    `${process.pid}`,
  ]);
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
  try {
    setPriority(niceness);
  } catch {
    // Only root may: then there is more noise.
  }
}

/** On the core of the proxy, with the command line as it is given. */
export function startPinned(
  processes: Processes,
  command: readonly string[],
  options: { readonly name: string; readonly environment?: Readonly<Record<string, string>> },
): TestProcess {
  return processes.start([...endWithParent, 'taskset', '--cpu-list', proxyCore, ...command], options);
}

/** Beside the load: backends, the control plane. */
export function startBeside(processes: Processes, command: readonly string[], name: string): TestProcess {
  return processes.start([...endWithParent, ...command], { name });
}

/** The last resort if this process is killed before it can end what it has started. */
const endWithParent = ['setpriv', '--pdeathsig', 'KILL', '--'];
