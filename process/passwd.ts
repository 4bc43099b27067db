/** The accounts of this machine, by their numbers: passwd(5). */
import { readFileSync } from 'node:fs';

/** What login(1) and systemd tell a process of its user. */
export interface AccountEnvironment {
  readonly HOME: string;
  readonly USER: string;
  readonly LOGNAME: string;
}

/** Of a user without an entry: / as its home, as Docker has it, and its number as its name. */
export function accountOf(uid: number, file = '/etc/passwd'): AccountEnvironment {
  const [name = String(uid), , , , , home = '/'] =
    linesOf(file)
      .map((line) => line.split(':'))
      .find((fields) => fields[2] === String(uid)) ?? [];
  return { HOME: home === '' ? '/' : home, USER: name, LOGNAME: name };
}

/** None when there is no such file, as in containers that hold a program alone. */
function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
