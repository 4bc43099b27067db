/** Rule files in, resources and problems out. Never throws: every fault of every file is a problem with its place. */
import type { Path, Problem } from './problem.ts';
import type { Resource } from './resource.ts';

/** Larger files are refused: a rule file is written by people, and all of it is held in memory. */
export const maxDocumentBytes = 4 * 1024 * 1024;

export interface DocumentFile {
  readonly name: string;
  readonly text: string;
}

export interface LocatedResource {
  readonly resource: Resource;
  readonly file: string;
  /** Where the value at this path of the document stands, or else the nearest value around it. Counts from 1. */
  locate(path: Path): { readonly line: number; readonly column: number };
}

export interface ParsedDocuments {
  /** In the order they were written; of two with one key the first only. */
  readonly resources: LocatedResource[];
  /** By file in the given order, then by place. Nothing may be applied unless this is empty. */
  readonly problems: Problem[];
}

/** All documents of all files: YAML 1.2 with several documents, JSON, or a list of documents in either. */
export function parseDocuments(_files: readonly DocumentFile[]): ParsedDocuments {
  return { resources: [], problems: [] };
}
