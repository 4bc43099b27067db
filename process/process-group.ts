/** A process and all that it started and that stayed in its group, as one. Linux, and what else has signals and groups. */
import { readdirSync, readFileSync } from 'node:fs';

/** Whether there was anyone to send it to. Signal 0 asks just that. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch (cause) {
    // One that has become another user's is there, but not ours to signal.
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
}

/**
 * Whether one of the group is still running. One that has ended and that its parent has not asked about yet is not: where
 * this process is the first of a container, orphans become its own, and nobody ever asks.
 */
export function isGroupRunning(group: number): boolean {
  if (!signalGroup(group, 0)) return false;
  const processes = listProcesses();
  return processes.length === 0 || processes.some((pid) => isRunningIn(group, pid));
}

/** Empty where there is no /proc. */
function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** proc(5): `PID (NAME) STATE PARENT GROUP …`; the name may hold anything, parentheses too. */
function isRunningIn(group: number, pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', , groupOf] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(groupOf) === group && !'ZX'.includes(state);
  } catch {
    // It ended while we were looking.
    return false;
  }
}
