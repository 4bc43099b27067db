/** How an action of commander becomes an exit code. */
import type { Command } from 'commander';
import type { Context } from './context.ts';

/** What a command does: resolves with its exit code. `operands`: its arguments that are no options. */
export type Action = (operands: readonly string[]) => Promise<number> | number;

/** Makes an action for commander of it. */
export type Run = (action: Action) => (...fromCommander: unknown[]) => Promise<void>;

/** What a command is made for. */
export interface CommandLine {
  readonly context: Context;
  readonly run: Run;
  /** All of it: `process.argv` without its first two. */
  readonly args: readonly string[];
}

/** `onExitCode` is told what the command ended with. */
export function createRun(isCommand: (value: unknown) => value is Command, onExitCode: (code: number) => void): Run {
  return (action) =>
    async (...fromCommander) => {
      // Operands first, then the options, and the command itself at the end.
      const command = fromCommander.find(isCommand);
      if (command === undefined) throw new Error('commander called an action without its command');
      onExitCode(await action(command.args));
    };
}
