/** Says who it is, asks to be started anew with a flag, and says so if it is still there. */
import { restartWith } from '../../../dist/process/process-image.js';

const { pid, execArgv, argv, env } = process;
process.stdout.write(`${JSON.stringify({ pid, flags: execArgv, args: argv.slice(2), word: env.WORD })}\n`);
restartWith(['--max-semi-space-size=1']);
process.stdout.write('end\n');
