/** What processes have cost, read from /proc: CPU time of all their threads, and resident memory. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { TestProcess } from '../../test/support/test-process.ts';

/** Processes with everything that they have started: each leads a group of its own. */
export class Cost {
  readonly #groups: readonly number[];

  constructor(processes: readonly TestProcess[]) {
    this.#groups = processes.map(({ pid }) => pid);
  }

  /** User and system time so far, in microseconds; exact to 10 ms, the tick of /proc. */
  cpuUs(): number {
    return this.#sum(({ fields }) => (Number(fields[11]) + Number(fields[12])) * tickUs);
  }

  /** Resident memory, in bytes. */
  rssBytes(): number {
    return this.#sum(({ pid }) => {
      const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return Number(kib ?? 0) * 1024;
    });
  }

  #sum(of: (stat: Stat) => number): number {
    return readStats()
      .filter(({ fields }) => this.#groups.includes(Number(fields[2])))
      .reduce((sum, stat) => sum + of(stat), 0);
  }
}

interface Stat {
  readonly pid: string;
  /** From the third of proc(5) on: state, parent, group, …; 11 and 12 are utime and stime. */
  readonly fields: readonly string[];
}

function readStats(): Stat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        // The second field, the name, is in brackets and may hold spaces.
        const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return [{ pid, fields: text.slice(text.lastIndexOf(')') + 2).split(' ') }];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
}

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK']).stdout.toString());
const tickUs = 1_000_000 / ticksPerSecond;
