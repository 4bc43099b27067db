/**
 * Does what the compiler leaves undone in dist/: the .proto files, the rule files of the examples, and the right to run the
 * command, which npx in a checkout needs.
 */
import { chmodSync, cpSync } from 'node:fs';
import { join } from 'node:path';

const top = join(import.meta.dirname, '..');
cpSync(join(top, 'proto'), join(top, 'dist/proto'), {
  recursive: true,
  filter: (source) => !source.endsWith('.ts') && !source.endsWith('.md'),
});
cpSync(join(top, 'examples/canary'), join(top, 'dist/examples/canary'), { recursive: true });
chmodSync(join(top, 'dist/cli/main.js'), 0o755);
