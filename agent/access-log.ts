/** The access log as the settings have it, with what it is written to. */
import type { Clock, Random } from '../process/clock.ts';
import { LineWriter } from '../process/line-writer.ts';
import type { Logger } from '../process/log.ts';
import type { AccessLogSettings } from './agent-settings.ts';
import { AccessLog } from './telemetry/access-log.ts';

export interface OpenAccessLog {
  readonly log: AccessLog;
  /** The file was moved away: it is opened again by its name. */
  reopen(): void;
  /** Writes what waits, as far as that takes no longer than this: a second when not given. */
  close(withinMs?: number): Promise<void>;
}

/** `isShared`: other processes write lines to the same. Undefined when none is asked for. Throws, with a sentence, when its file cannot be opened. */
export function openAccessLog(
  settings: AccessLogSettings | undefined,
  {
    clock,
    random,
    log,
    isShared = false,
  }: { readonly clock: Clock; readonly random: Random; readonly log: Logger; readonly isShared?: boolean },
): OpenAccessLog | undefined {
  if (settings === undefined) return undefined;
  const { path, samplePercent, slowMs, entry } = settings;
  const onTrouble = (sentence: string) => log.warn(`the access log: ${sentence}`);
  const lines = openLines({ path, isShared: isShared || entry !== undefined, clock, onTrouble });
  return {
    log: new AccessLog({ lines, entry, samplePercent, slowMs, clock, random }),
    reopen: () => lines.reopen(),
    close: (withinMs) => lines.close(withinMs),
  };
}

function openLines(options: ConstructorParameters<typeof LineWriter>[0]): LineWriter {
  try {
    return new LineWriter(options);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`--access-log: ${detail}`, { cause });
  }
}
