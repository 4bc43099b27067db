/** `sluice intercept`: the packet rules by which applications come into the mesh without knowing of it. */
import { Argument, type Command } from 'commander';
import {
  type Backend,
  backends,
  checkRules,
  installRules,
  isThere,
  printRules,
  removeRules,
} from '../../agent/interception/interception.ts';
import { InterceptionError } from '../../agent/interception/tools.ts';
import { runProgram } from '../../process/run-program.ts';
import { CommandError, type Context, exitCodes } from '../context.ts';
import { example } from '../help.ts';
import { addInterceptOptions, type InterceptOptions, interceptionOf, interceptOptions } from '../intercept-options.ts';
import type { CommandLine } from '../run.ts';

const actions = ['install', 'uninstall', 'check'] as const;

export function completeIntercept(command: Command, { context, run }: CommandLine): void {
  command.addArgument(new Argument('<action>', 'what to do with the rules').choices(actions));
  addInterceptOptions(command)
    .addHelpText(
      'after',
      example(
        'intercept install --agent-uid 1337',
        'intercept install --agent-uid 1337 --exclude-outbound-ports 5432,6379 --dry-run',
        'intercept check --agent-uid 1337',
        'intercept uninstall',
      ),
    )
    .action(
      run(async ([action = '']) => {
        const options = interceptOptions(command);
        try {
          if (action === 'uninstall') return await uninstall(options, context);
          return action === 'install' ? await install(options, context) : await check(options, context);
        } catch (error) {
          if (error instanceof InterceptionError) throw new CommandError(`intercept ${action}: ${error.message}`);
          throw error;
        }
      }),
    );
}

async function install(options: InterceptOptions, { out }: Context): Promise<number> {
  const { backend = 'nftables', dryRun } = options;
  const described = interceptionOf(options);
  if (dryRun) {
    out.write(printRules(described, backend));
    return exitCodes.done;
  }
  await installRules(described, { backend, run: runProgram });
  out.write(`rules are in place (${backend})\n`);
  return exitCodes.done;
}

async function check(options: InterceptOptions, { out, err }: Context): Promise<number> {
  const { backend = 'nftables' } = options;
  const differences = await checkRules(interceptionOf(options), { backend, run: runProgram });
  if (differences.length === 0) out.write(`rules are in place (${backend})\n`);
  err.write(differences.map((difference) => `${difference}\n`).join(''));
  return differences.length === 0 ? exitCodes.done : exitCodes.refused;
}

/** Without a backend whatever is there: who takes rules away need not know who has made them. */
async function uninstall({ backend, dryRun }: InterceptOptions, { out }: Context): Promise<number> {
  const found: Backend[] = [];
  for (const each of backend === undefined ? backends : [backend]) {
    if (await isThere(each, runProgram)) found.push(each);
  }
  if (dryRun) {
    out.write(found.length === 0 ? 'there are no rules\n' : `rules would be removed (${found.join(', ')})\n`);
    return exitCodes.done;
  }
  await removeRules({ backends: found, run: runProgram });
  out.write(found.length === 0 ? 'there are no rules\n' : `rules are removed (${found.join(', ')})\n`);
  return exitCodes.done;
}
