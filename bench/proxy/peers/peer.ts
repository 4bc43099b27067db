/** What is compared: a program that forwards HTTP/1.1 requests to backends by weight. */
import type { Processes } from '../../../test/support/processes.ts';
import type { TestProcess } from '../../../test/support/test-process.ts';

export interface Share {
  /** On loopback. */
  readonly port: number;
  readonly weight: number;
}

export interface Setup {
  readonly processes: Processes;
  readonly split: readonly Share[];
  /** So many rules in front of the split, each of which takes the requests with one value of `routeHeader`. */
  readonly routes: number;
}

/** One that runs. */
export interface RunningProxy {
  /** On loopback. */
  readonly port: number;
  /** All that counts as its cost. */
  readonly measured: readonly TestProcess[];
  close(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** Undefined: it is not installed. */
  version(): string | undefined;
  /** Resolves when it answers by all of its configuration. */
  start(setup: Setup): Promise<RunningProxy>;
  /** How two of them stand one behind the other, where that is not just the same twice. */
  startTwoHops?(setup: Setup): Promise<RunningProxy>;
}

/** The header that the rules of `Setup.routes` are about, in lower case. */
export const routeHeader = 'x-route';

/** The value that rule `index` takes. */
export const routeValue = (index: number) => `r-${index}`;
