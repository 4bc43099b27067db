/** The log of a process: JSON lines on standard error, pretty on a terminal. Standard output belongs to answers. */
import { destination, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger } from 'pino';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Keys whose values never reach a log, at any depth that we log. */
const secretKeys = ['key', 'token', 'password', 'authorization', 'secret'];

export function createLog(name: string, level: LogLevel): Logger {
  const redact = { paths: secretKeys.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' };
  const options = { name, level, redact, base: { name, pid: process.pid } };
  if (!process.stderr.isTTY) return pino(options, destination({ dest: 2, sync: true }));
  return pino(options, pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }));
}
