/** How many descriptors this process may have open. */
import { readFileSync } from 'node:fs';

/** Undefined where the system does not say. Node has raised its own limit as far as it may when it started. */
export function descriptorLimit(): number | undefined {
  try {
    const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft) || undefined;
  } catch {
    return undefined;
  }
}
