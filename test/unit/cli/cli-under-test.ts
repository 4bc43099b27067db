/** Runs the command in this process, with strings for a terminal and a real API over a fake control plane. */
import type { Context } from '../../../cli/context.ts';
import { ApiUnderTest } from '../dashboard-api/api-under-test.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly isTerminal?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** How long the server lets the command wait in one apply, whatever it asks for. */
  readonly sliceOf?: string;
  /** Called with all output so far, each time there is more. */
  readonly onOutput?: (out: string) => void;
  /** Called before each request with its path; what it throws is what the request ends with. */
  readonly onFetch?: (path: string) => void;
}

export class CliUnderTest extends ApiUnderTest {
  /** `sluice …args` against the API under test. */
  async sluice(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const { stdin = '', isTerminal = false, environment = { SLUICE_API: this.url }, onOutput } = options;
    let out = '';
    let err = '';
    const context: Context = {
      out: {
        write: (text) => {
          out += text;
          onOutput?.(out);
        },
        isTerminal,
        hasColours: isTerminal,
      },
      err: {
        write: (text) => {
          err += text;
        },
        isTerminal,
        hasColours: isTerminal,
      },
      readStdin: async () => stdin,
      environment,
      fetch: async (url, init) => {
        options.onFetch?.(String(url).slice(this.url.length));
        return fetch(options.sliceOf ? String(url).replace(/\bwait=\w+/, `wait=${options.sliceOf}`) : url, init);
      },
      clock: () => performance.now(),
      signal: options.signal ?? new AbortController().signal,
    };
    // As `import … from` mocha and tsx would load another instance of each module than commands get that are loaded later, and
    // the program would not know the class of their errors.
    const { runProgram } = await import('../../../cli/program.ts');
    const code = await runProgram(args, context);
    return { code, out, err };
  }
}
