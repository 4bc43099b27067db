/**
 * Tells when a file has another content, however that came about: written over, replaced by another file, by another target
 * of a symbolic link. Looks at it, since what systems tell of changes differs and is lost where files are replaced.
 */
import { statSync } from 'node:fs';
import type { Clock } from './clock.ts';

/** Whoever saves a file can wait that long for it. */
const lookMs = 500;

export interface FileWatch {
  close(): void;
}

/**
 * Calls back when the file looks otherwise than the last time, and has stayed so from one look to the next: half of what is being written
 * is nobody's content. A file that is missing is being replaced, or will not change what is in force.
 */
export function watchFile(
  path: string,
  { clock, onChange }: { readonly clock: Clock; readonly onChange: () => void },
): FileWatch {
  let told = lookOf(path);
  let seen = told;
  let cancel = () => {};
  const look = () => {
    const now = lookOf(path);
    if (now !== '' && now !== told && now === seen) {
      told = now;
      onChange();
    }
    seen = now;
    cancel = clock.after(lookMs, look);
  };
  cancel = clock.after(lookMs, look);
  return { close: () => cancel() };
}

/** What differs when the content does; '' of a file that cannot be seen, whatever hides it. */
function lookOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return '';
  }
}
