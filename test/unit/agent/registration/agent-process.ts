/** Runs as a process of its own: an agent with the settings and the command that it is handed as JSON. */
import { loadAgentSettings } from '../../../../agent/config.ts';
import { runAgent } from '../../../../agent/main.ts';
import { withFile } from '../../../../process/settings.ts';

const [flags = '{}', command = '[]'] = process.argv.slice(2);
const loaded = loadAgentSettings(await withFile({ flags: JSON.parse(flags), environment: process.env }));
if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
process.exit(await runAgent(loaded.settings, JSON.parse(command)));
