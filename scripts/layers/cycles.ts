/** Finds import cycles between files, those of types alone included: neither of two such files can be read first. */
import type { SourceImport, Sources } from './sources.ts';

export interface Cycle {
  /** Each imports the next one, the last imports the first. */
  readonly files: readonly string[];
  /** The import that closes it. */
  readonly closing: SourceImport;
}

/** At least one for every group of files that reach each other; not every way round it. */
export function findCycles(sources: Sources): Cycle[] {
  const cycles: Cycle[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string) => {
    if (done.has(path)) return;
    trail.push(path);
    for (const found of sources.get(path)?.imports ?? []) {
      if (found.target === undefined) continue;
      const start = trail.indexOf(found.target);
      if (start < 0) visit(found.target);
      else cycles.push({ files: trail.slice(start), closing: found });
    }
    trail.pop();
    done.add(path);
  };
  for (const path of sources.keys()) visit(path);
  return cycles;
}
