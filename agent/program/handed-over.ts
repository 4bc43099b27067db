/** What a command line was read as, on its way to the program that acts on it: in one variable of the environment. */
import type { AgentSettings, SharedSettings } from '../agent-settings.ts';

const variable = 'SLUICE_AGENT_READ';

export type HandedOver = HandedOverAgent | HandedOverShared;

export interface HandedOverAgent {
  readonly settings: AgentSettings;
  /** The application and its arguments; empty: none is started. */
  readonly command: readonly string[];
}

export interface HandedOverShared {
  readonly shared: SharedSettings;
  /** What they are read by when the file changes, besides the environment. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Path of the file. */
  readonly file: string;
}

export function handOver(handedOver: HandedOver): Readonly<Record<string, string>> {
  return { [variable]: JSON.stringify(handedOver) };
}

/** Takes it out of the environment, which the application is going to have as well. Undefined when there is nothing. */
export function takeHandedOver(environment: NodeJS.ProcessEnv): HandedOver | undefined {
  const text = environment[variable];
  delete environment[variable];
  // The very program that has just made it of settings that it has checked.
  return text === undefined ? undefined : (JSON.parse(text) as HandedOver);
}
