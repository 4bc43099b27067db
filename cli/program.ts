/** The command line as a whole: every command under its name, and every way of ending as an exit code. */
import { Command, CommanderError, Help } from 'commander';
import { sluiceVersion } from '../process/version.ts';
import { commands } from './commands.ts';
import { CommandError, type Context, exitCodes } from './context.ts';
import { apiOption, outputOption } from './global-options.ts';
import { example } from './help.ts';
import { paint, print, printable } from './render.ts';
import { createRun, type Run } from './run.ts';

/** Runs one command line (`process.argv` without its first two) and resolves with the exit code. */
export async function runProgram(args: readonly string[], context: Context): Promise<number> {
  let exitCode: number = exitCodes.done;
  const run = createRun(
    (value) => value instanceof Command,
    (code) => {
      exitCode = code;
    },
  );
  const program = await createProgram(args, context, run);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return await tellError(error, program, context);
  }
}

export async function createProgram(args: readonly string[], context: Context, run: Run): Promise<Command> {
  const program = new Command('sluice')
    .description('Service mesh: rules in, exactly split traffic out, and "applied" means applied')
    .version(`sluice ${sluiceVersion}`, '-V, --version', 'the version of this command')
    .addOption(apiOption())
    .addOption(outputOption())
    // Options after a command belong to it: `sluice agent --version v1` is not `sluice --version`.
    .enablePositionalOptions()
    .showHelpAfterError('(--help shows what there is)')
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
      getOutHasColors: () => context.out.hasColours,
      getErrHasColors: () => context.err.hasColours,
    })
    .exitOverride();
  const synopses = new Map<string, string>();
  program.configureHelp({
    // That of a command with nothing but its name does not say what comes after it.
    subcommandTerm: (command) => synopses.get(command.name()) ?? new Help().subcommandTerm(command),
  });
  for (const { synopsis, description, load } of commands) {
    const [name = synopsis] = synopsis.split(' ');
    synopses.set(name, synopsis);
    const command = program.command(name).description(description);
    // Every other one is there to be listed.
    if (!args.includes(name)) continue;
    const complete = await load();
    complete(command, { context, run, args });
  }
  program.addHelpText('after', example('demo', 'server', 'apply -f examples/canary/01-90-10.yaml --wait'));
  return program;
}

async function tellError(error: unknown, program: Command, context: Context): Promise<number> {
  // Commander has written its own sentence already; help and version end with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (context.signal.aborted) return exitCodes.interrupted;
  if (!(error instanceof CommandError)) throw error;
  const output = outputOf(program);
  if (error.body !== undefined && output !== 'table') await print(context, output, error.body, () => '');
  const [first = '', ...rest] = error.message.split('\n').map(printable);
  const lines = [`${paint(context.err, 'red', 'error')}: ${first}`, ...rest];
  context.err.write(lines.map((line) => `${line}\n`).join(''));
  return error.exitCode;
}

/** Of the command that ran: programs that asked for JSON get the refusal as JSON too. */
function outputOf(program: Command): 'table' | 'json' | 'yaml' {
  const asked = [program, ...program.commands].map((command): unknown => command.opts().output);
  const last = asked.findLast((output) => output !== undefined);
  return last === 'json' || last === 'yaml' ? last : 'table';
}
