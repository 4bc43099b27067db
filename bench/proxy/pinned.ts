/**
 * Processes bound to a core: what is measured has one core, and all that loads it (this process, the backends, wrk) has
 * the others. None of them outlives the bench, not even when that is killed.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../../process/file-lock.ts';
import type { Processes } from '../../test/support/processes.ts';
import type { TestProcess } from '../../test/support/test-process.ts';

/** Where the proxy runs that is measured. */
const proxyCore = '0';

/** Before what else the machine does, as far as the user may. */
const niceness = -10;

/**
 * Binds this process, and so all that it starts. Waits for another such bench on this machine, which would be on the
 * same cores. Throws where there are no two.
 */
export async function takeCores(): Promise<void> {
  const last = cpus().length - 1;
  if (last < 1) throw new Error('the bench needs two cores: one for the proxy, one for its load');
  // Held until this process ends.
  for (let waited = false; 'heldBy' in lockFile(join(tmpdir(), 'sluice-bench.lock')); waited = true) {
    if (!waited) process.stderr.write('waiting for the bench that is running\n');
    await sleep(1_000);
  }
  const core = ['--all-tasks', '--cpu-list', '--pid', `1-${last}`, `${process.pid}`];
  const { status, stderr } = spawnSync('taskset', core);
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
  prefer(process.pid);
}

/** On the core of the proxy, with the command line as it is given. */
export function startPinned(
  processes: Processes,
  command: readonly string[],
  options: { readonly name: string; readonly environment?: Readonly<Record<string, string>> },
): TestProcess {
  const started = processes.start([...endWithParent, 'taskset', '--cpu-list', proxyCore, ...command], options);
  prefer(started.pid);
  return started;
}

/** Beside the load: backends, the control plane. */
export function startBeside(processes: Processes, command: readonly string[], name: string): TestProcess {
  const started = processes.start([...endWithParent, ...command], { name });
  prefer(started.pid);
  return started;
}

function prefer(pid: number): void {
  try {
    setPriority(pid, niceness);
    // Where the kernel groups processes by session, only the niceness of the group counts between sessions.
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // Only root may: then there is more noise.
  }
}

/** The last resort if this process is killed before it can end what it has started. */
const endWithParent = ['setpriv', '--pdeathsig', 'KILL', '--'];
