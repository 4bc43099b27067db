/** What processes have cost, read from /proc: CPU time of all their threads, and resident memory. */
import { readdirSync, readFileSync } from 'node:fs';
import type { TestProcess } from '../../test/support/test-process.ts';

/** Processes with everything that they have started: each leads a group of its own. */
export class Cost {
  readonly #groups: readonly string[];

  constructor(processes: readonly TestProcess[]) {
    this.#groups = processes.map(({ pid }) => String(pid));
  }

  /**
   * User and system time so far, in microseconds. By thread, as that is exact to the nanosecond, where the sums of
   * /proc/PID/stat go by ticks of 10 ms. The time of a thread that has ended is gone: none of the proxies ends any under load.
   */
  cpuUs(): number {
    const threads = this.#pids().flatMap((pid) => list(`/proc/${pid}/task`).map((id) => `/proc/${pid}/task/${id}`));
    return sum(threads.map((thread) => Number(read(`${thread}/schedstat`).split(' ')[0]) / 1000));
  }

  /** Resident memory, in bytes. */
  rssBytes(): number {
    return sum(
      this.#pids().map((pid) => Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024),
    );
  }

  #pids(): string[] {
    return list('/proc').filter((name) => /^\d+$/.test(name) && this.#groups.includes(groupOf(name)));
  }
}

/** The fifth field of proc(5); the second, the name, is in brackets and may hold spaces. */
function groupOf(pid: string): string {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2] ?? '';
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** '' when the process ended meanwhile. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
