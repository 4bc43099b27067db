/** Pages of the `node` program that only its start needs, and how few of them a process has to keep in memory afterwards. */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const MADV_DONTNEED = 4;
/** Less is not worth a system call. */
const leastBytes = 1 << 20;
/** `55d0c0a00000-55d0c1000000 r-xp 00a00000 fe:00 1234    /usr/bin/node`, as proc(5) has it. */
const headLine = /^([0-9a-f]+)-([0-9a-f]+) r-.p \S+ \S+ ([1-9]\d*)/;

/** A part of the address space: addresses, the end not included. */
export interface Mapping {
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * Takes the pages of the program that have been touched so far out of this process; those that are touched again come back
 * from the system's file cache, which keeps them. To load and compile modules touches 41 MB of the program, to serve a third.
 * Only Linux says what there is to give back; elsewhere, and where the system refuses, everything stays as it is.
 */
export function giveBackProgramPages(): void {
  try {
    const madvise = koffi.load(null).func('int madvise(uintptr_t address, size_t length, int advice)');
    for (const { from, to } of unchangedMappings(readFileSync('/proc/self/smaps', 'utf8'))) {
      madvise(from, to - from, MADV_DONTNEED);
    }
  } catch {
    // It costs memory, and nothing else.
  }
}

/**
 * The large mappings of files in a text like `/proc/PID/smaps` that this process may not write. One of which a page is its own
 * all the same, as after relocation or a debugger's visit, is left out: the file could not bring the change back.
 */
export function unchangedMappings(smaps: string): Mapping[] {
  const found = new Set<Mapping>();
  let mapping: Mapping | undefined;
  for (const line of smaps.split('\n')) {
    if (/^[0-9a-f]+-/.test(line)) {
      const [, from, to] = headLine.exec(line) ?? [];
      mapping = from === undefined ? undefined : { from: BigInt(`0x${from}`), to: BigInt(`0x${to}`) };
      if (mapping !== undefined && mapping.to - mapping.from >= leastBytes) found.add(mapping);
    } else if (mapping !== undefined && /^(Anonymous|Swap):/.test(line) && !line.endsWith(' 0 kB')) {
      found.delete(mapping);
    }
  }
  return [...found];
}
