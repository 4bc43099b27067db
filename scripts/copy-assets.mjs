/** Copies what the compiler leaves behind into dist/: the .proto files and the rule files of the examples. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';

const top = join(import.meta.dirname, '..');
cpSync(join(top, 'proto'), join(top, 'dist/proto'), {
  recursive: true,
  filter: (source) => !source.endsWith('.ts') && !source.endsWith('.md'),
});
cpSync(join(top, 'examples/canary'), join(top, 'dist/examples/canary'), { recursive: true });
