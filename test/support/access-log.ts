/** What an agent has written of its requests, as tests read it. */
import { createReadStream, existsSync } from 'node:fs';

/** As docs/observability.md has it; only what tests look at. */
export interface AccessLogLine {
  readonly listener: string;
  readonly protocol: string;
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

/** Lines come in the order in which requests ended, and a little later than that. */
export class AccessLogReader {
  readonly #file: string;
  #read = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** All lines since the last call. One without an end is for the next. */
  async *more(): AsyncGenerator<AccessLogLine> {
    if (!existsSync(this.#file)) return;
    let rest = '';
    // One character an octet, so that what was read can be counted.
    for await (const part of createReadStream(this.#file, { start: this.#read, encoding: 'latin1' })) {
      const lines = (rest + String(part)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        this.#read += line.length + 1;
        yield JSON.parse(Buffer.from(line, 'latin1').toString()) as AccessLogLine;
      }
    }
  }
}
