/** The log of a process: JSON lines on standard error, pretty on a terminal. Standard output belongs to answers. */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { LogLevel } from './log-levels.ts';
import { redact, redacted, secretKeys } from './redact.ts';

export type { Logger } from 'pino';

/** That of a program: to standard error, for people when that is a terminal. */
export async function openLog(name: string, level: LogLevel): Promise<Logger> {
  if (!process.stderr.isTTY) return createLog(name, level);
  // What makes lines pretty is more code than what makes them: it is loaded where somebody looks at them.
  const { default: pretty } = await import('pino-pretty');
  return createLog(
    name,
    level,
    pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }),
  );
}

/** JSON lines to standard error unless a test wants them. */
export function createLog(
  name: string,
  level: LogLevel,
  to: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  const options = {
    name,
    level,
    base: { name, pid: process.pid },
    formatters: { log: redact },
    // Errors have become plain fields by then.
    serializers: { err: (fields: unknown) => fields },
    // What children of the log are bound to does not pass the formatter.
    redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`]), censor: redacted },
  };
  return pino(options, to);
}
