/** What this machine's resolvers are, as resolv.conf(5) says it: '' when there is none, and libc asks this machine. */
import { readFileSync } from 'node:fs';

export function resolvConfText(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return '';
  }
}
