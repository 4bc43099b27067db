/** The command line as a whole: every command under its name, and every way of ending as an exit code. */
import { Command, CommanderError } from 'commander';
import { sluiceVersion } from '../process/version.ts';
import { Refused } from './api-client.ts';
import { addAgent } from './commands/agent.ts';
import { addApply, example } from './commands/apply.ts';
import { addDelete } from './commands/delete.ts';
import { addDemo } from './commands/demo.ts';
import { addDiff } from './commands/diff.ts';
import { addEnvoyBootstrap } from './commands/envoy-bootstrap.ts';
import { addGet } from './commands/get.ts';
import { addGrpcBootstrap } from './commands/grpc-bootstrap.ts';
import { addIntercept } from './commands/intercept.ts';
import { addAgents, addHistory, addInstances } from './commands/lists.ts';
import { addRollback } from './commands/rollback.ts';
import { addSchema } from './commands/schema.ts';
import { addServer } from './commands/server.ts';
import { addStatus } from './commands/status.ts';
import { addValidate } from './commands/validate.ts';
import { addVersion } from './commands/version.ts';
import { CommandError, type Context, exitCodes } from './context.ts';
import { apiOption, outputOption } from './options.ts';
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
    return tellError(error, program, context);
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
  await addServer(program, context, run, args);
  await addAgent(program, context, run, args);
  for (const add of [
    addDemo,
    addApply,
    addDiff,
    addValidate,
    addGet,
    addDelete,
    addStatus,
    addAgents,
    addInstances,
    addHistory,
    addRollback,
    addEnvoyBootstrap,
    addGrpcBootstrap,
    addIntercept,
    addSchema,
    addVersion,
  ]) {
    add(program, context, run);
  }
  program.addHelpText('after', example('demo', 'server', 'apply -f examples/canary/01-90-10.yaml --wait'));
  return program;
}

function tellError(error: unknown, program: Command, context: Context): number {
  // Commander has written its own sentence already; help and version end with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (context.signal.aborted) return exitCodes.interrupted;
  if (!(error instanceof CommandError)) throw error;
  const output = outputOf(program);
  if (error instanceof Refused && output !== 'table') print(context, output, error.body, () => '');
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
