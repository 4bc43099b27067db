/** Writes `docs/schema/*.json` from the schemas in `model/`. A test fails when the files are not what this writes. */
import { mkdir, writeFile } from 'node:fs/promises';
import { jsonSchema, schemaNames } from '../model/json-schema.ts';

const folder = new URL('../docs/schema/', import.meta.url);
await mkdir(folder, { recursive: true });
for (const name of schemaNames) {
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(jsonSchema(name), null, 2)}\n`);
}
