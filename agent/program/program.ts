/**
 * What `sluice agent` is when it has read its settings. What reads command lines, files and schemas is not
 * loaded here: it would stay in memory beside every application, and an agent has no use for it.
 */
import { endWithReaders, exitWhenWritten } from '../../process/standard-streams.ts';
import { takeHandedOver } from './handed-over.ts';
import { run } from './run.ts';

endWithReaders();
const handedOver = takeHandedOver(process.env);
if (handedOver === undefined) {
  process.stderr.write('this program is started by `sluice agent`\n');
  process.exit(2);
}
await exitWhenWritten(await run(handedOver, process.env));
