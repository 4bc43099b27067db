/** How an action of commander becomes an exit code. */
import type { Command } from 'commander';

/** What a command does: resolves with its exit code. `args` are its operands. */
export type Action = (command: Command, args: readonly string[]) => Promise<number> | number;

/** Makes an action for commander of it. */
export type Run = (action: Action) => (...fromCommander: unknown[]) => Promise<void>;

/** `onExitCode` is told what the command ended with. */
export function createRun(isCommand: (value: unknown) => value is Command, onExitCode: (code: number) => void): Run {
  return (action) =>
    async (...fromCommander) => {
      // Operands first, then the options, and the command itself at the end.
      const command = fromCommander.find(isCommand);
      if (command === undefined) throw new Error('commander called an action without its command');
      onExitCode(await action(command, command.args));
    };
}
