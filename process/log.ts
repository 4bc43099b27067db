/** The log of a process: JSON lines on standard error, pretty on a terminal. Standard output belongs to answers. */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { redact, redacted, secretKeys } from './redact.ts';

export type { Logger } from 'pino';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Writes to standard error unless a test wants the lines. */
export function createLog(name: string, level: LogLevel, to: DestinationStream = standardError()): Logger {
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

function standardError(): DestinationStream {
  if (!process.stderr.isTTY) return destination({ dest: 2, sync: true });
  return pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' });
}
