/** What a file of settings says, apart from reading it: most programs are told no file. */
import type { Problem } from '../model/problem.ts';

export interface FileValue {
  readonly value: unknown;
  readonly at: Omit<Problem, 'message'>;
  /** Of a list: what its items have. */
  readonly items?: readonly FileItem[];
}

export interface FileItem {
  readonly at: Omit<Problem, 'message'>;
  /** Undefined when it is no map. */
  readonly values: ReadonlyMap<string, FileValue> | undefined;
}

/** The keys of the file with their values and places, and what is wrong with the file as such. */
export interface FileValues {
  readonly values: ReadonlyMap<string, FileValue>;
  readonly problems: readonly Problem[];
}

export const noFile: FileValues = { values: new Map(), problems: [] };
