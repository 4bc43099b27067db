/** Says who it is, asks to go on as itself with a flag and a word, and says so if it is still there. */
import { becomeProgram } from '../../../process/process-image.ts';

const { pid, execArgv, argv, env } = process;
const said = { pid, flags: execArgv, args: argv.slice(2), word: env.WORD, added: env.ADDED };
process.stdout.write(`${JSON.stringify(said)}\n`);
if (env.ADDED === undefined) {
  const flags = ['--max-semi-space-size=1'];
  becomeProgram({ program: import.meta.filename, flags, environment: { ADDED: 'yes' } });
}
process.stdout.write(`end ${env.ADDED}\n`);
