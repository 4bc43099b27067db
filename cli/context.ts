/** What a command may touch of the world. `main.ts` makes it of the process, tests of strings. */
import type { ProgramImage } from '../process/process-image.ts';

export interface Screen {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** A terminal whose user wants colours. */
  readonly hasColours: boolean;
}

export interface Context {
  /** Answers. */
  readonly out: Screen;
  /** Errors, hints and progress. */
  readonly err: Screen;
  readStdin(): Promise<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  /** Milliseconds, rising. */
  readonly clock: () => number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Goes on as another program in this process, where there is one to replace; returns where that cannot be done. */
  readonly becomeProgram?: (image: ProgramImage) => Promise<void>;
}

/** Where the server is unless somebody says otherwise. */
export const defaultApi = 'http://127.0.0.1:7070';

/** What a command ends with; scripts rely on these (docs/cli.md). */
export const exitCodes = {
  done: 0,
  /** Refused, or the server cannot be reached: nothing changed. */
  refused: 1,
  usage: 2,
  /** Accepted, but some agents have not applied it or refuse it. */
  incomplete: 3,
  /** `diff`: there are changes. */
  changes: 4,
  /** By Ctrl-C, as shells have it. What was under way may have been accepted. */
  interrupted: 130,
} as const;

/** Ends a command with one sentence and an exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;
  /** The answer that refuses, for programs that asked for JSON; undefined when it was not the server that said no. */
  readonly body: unknown;

  constructor(message: string, exitCode: number = exitCodes.refused, body?: unknown) {
    super(message);
    this.exitCode = exitCode;
    this.body = body;
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(message, exitCodes.usage);
}
