/** What an agent has written of its requests, as tests read it. */
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** As docs/observability.md has it; only what tests look at. */
export interface AccessLogLine {
  readonly listener: string;
  readonly method: string | null;
  readonly path: string | null;
  readonly requestId: string | null;
  readonly instance: string | null;
  readonly attempts: number | null;
  readonly status: number | null;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly durationMs: number;
  readonly rule: string | null;
  readonly cluster: string | null;
  readonly subset: string | null;
  readonly revision: number | null;
}

/** All lines so far, in the order in which requests ended. A line without an end is not one yet. */
export async function* readAccessLog(file: string): AsyncGenerator<AccessLogLine> {
  if (!existsSync(file)) return;
  const lines = createInterface({ input: createReadStream(file) });
  for await (const line of lines) if (line.endsWith('}')) yield JSON.parse(line) as AccessLogLine;
}
