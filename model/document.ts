/**
 * Rule files in, resources and problems out. Never throws: every fault of every file is a problem with its place, and
 * one faulty document does not hide the faults of the next.
 */
import type { Node } from 'yaml';
import { z } from 'zod';
import { findJsonFault } from './json-fault.ts';
import { createLineIndex, type Place } from './line-index.ts';
import { apiVersion, defaultNamespace } from './metadata.ts';
import { type Parsed, parseValue } from './parse.ts';
import { formatPath, type Path, type Problem } from './problem.ts';
import { isKind, kindSchemas, kinds, type Resource, resourceIdKey } from './resource.ts';
import { describe } from './sentences.ts';
import { fieldOf } from './unique.ts';
import { readYaml, type YamlDocument } from './yaml-text.ts';
import { type ReadDocument, readDocument } from './yaml-value.ts';

/** Larger files are refused: a rule file is written by people, and all of it is held in memory. */
export const maxDocumentBytes = 4 * 1024 * 1024;

/** Per file. Who has more faults than this repairs the first ones and asks again. */
const mostProblems = 1_000;

export interface DocumentFile {
  /** As the reader knows it; stands in every problem. */
  readonly name: string;
  readonly text: string;
}

export interface LocatedResource {
  readonly resource: Resource;
  readonly file: string;
  /** Where the value at this path of the document stands, or else the nearest value around it. Counts from 1. */
  locate(path: Path): Place;
}

export interface ParsedDocuments {
  /** In the order they were written; of two with one key the first only. */
  readonly resources: LocatedResource[];
  /** By file in the given order, then by place. Nothing may be applied unless this is empty. */
  readonly problems: Problem[];
}

/** All documents of all files: YAML 1.2 with several documents, JSON, or a list of documents in either. */
export function parseDocuments(files: readonly DocumentFile[]): ParsedDocuments {
  const resources: LocatedResource[] = [];
  const problems: Problem[] = [];
  const places = new Map<string, string>();
  for (const file of files) {
    const { documents, faults } = readFile(file);
    for (const document of documents) {
      const repeated = document.key === undefined ? undefined : places.get(document.key);
      const { line, column } = document.locate(['metadata', 'name']);
      if (repeated !== undefined) {
        const message = `${document.key} stands twice; first at ${repeated}`;
        faults.push({ line, column, path: 'metadata.name', message });
        continue;
      }
      if (document.key !== undefined) places.set(document.key, `${file.name}:${line}:${column}`);
      if (document.resource !== undefined) {
        resources.push({ resource: document.resource, file: file.name, locate: document.locate });
      }
    }
    for (const problem of inOrder(file.name, faults)) problems.push(problem);
  }
  return { resources, problems };
}

/** One document of a file, whether or not it is a valid resource. */
interface FileDocument {
  /** `resourceKey`, read leniently: faults elsewhere in a document do not hide that it stands twice. */
  readonly key: string | undefined;
  readonly resource: Resource | undefined;
  readonly locate: (path: Path) => Place;
}

/** A problem that does not know its file yet. */
interface FileFault extends Place {
  readonly path: string;
  readonly message: string;
}

function readFile({ name, text }: DocumentFile): { documents: FileDocument[]; faults: FileFault[] } {
  const placeOf = createLineIndex(typeof text === 'string' ? text : '');
  const documents: FileDocument[] = [];
  const faults: FileFault[] = [];
  for (const item of readYaml(text, maxDocumentBytes)) {
    const jsonFault = item.is === 'fault' && item.isSyntax && isJsonFile(name) ? findJsonFault(text) : undefined;
    if (jsonFault !== undefined) {
      faults.push({ ...jsonFault, path: '' });
      break;
    }
    if (item.is === 'fault') faults.push({ ...placeOf(item.offset), path: '', message: item.message });
    else readResources(item.document, placeOf, { documents, faults });
    if (faults.length > mostProblems) break;
  }
  return { documents, faults };
}

/** YAML in it is taken as well; but who wrote JSON wants to hear where it stops being JSON. */
function isJsonFile(name: string): boolean {
  return name.toLowerCase().endsWith('.json');
}

function readResources(
  { contents }: YamlDocument['document'],
  placeOf: (offset: number) => Place,
  into: { documents: FileDocument[]; faults: FileFault[] },
): void {
  // The library's type allows for documents without content, which `readYaml` leaves out.
  const read = readDocument(contents as Node);
  for (const { offset, path, message } of read.faults) {
    into.faults.push({ ...placeOf(offset), path: formatPath(insideOf(read, path)), message });
  }
  for (const base of roots(read)) {
    const value = base.reduce<unknown>((list, index) => (Array.isArray(list) ? list[index] : undefined), read.value);
    const locate = (path: Path) => placeOf(read.offsetOf([...base, ...path]));
    const parsed = parseResource(value);
    into.documents.push({ key: keyOf(value), resource: parsed.ok ? parsed.value : undefined, locate });
    for (const { path, message, onKey } of parsed.ok ? [] : parsed.faults) {
      const whole = [...base, ...path];
      if (read.isUnreadable(whole)) continue;
      into.faults.push({ ...placeOf(read.offsetOf(whole, onKey)), path: formatPath(path), message });
    }
  }
}

/** The ways to the resources in one YAML document: itself, or each item if it is a list. */
function roots({ value }: ReadDocument): number[][] {
  return Array.isArray(value) ? value.map((_, index) => [index]) : [[]];
}

/** A path as seen from its resource: a list around the resources is no part of it. */
function insideOf({ value }: ReadDocument, path: Path): Path {
  return Array.isArray(value) ? path.slice(1) : path;
}

/** What every document has, whatever its kind. */
const envelope = z.looseObject({ apiVersion, kind: z.enum(kinds) });

function parseResource(value: unknown): Parsed<Resource> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = `a document must be a map with apiVersion, kind, metadata and spec; found ${describe(value)}`;
    return { ok: false, faults: [{ path: [], message }] };
  }
  const kind = fieldOf(value, 'kind');
  if (!isKind(kind)) {
    const parsed = parseValue(envelope, value);
    return { ok: false, faults: parsed.ok ? [] : parsed.faults };
  }
  return parseValue(kindSchemas[kind], value);
}

function keyOf(document: unknown): string | undefined {
  const kind = fieldOf(document, 'kind');
  const metadata = fieldOf(document, 'metadata');
  const name = fieldOf(metadata, 'name');
  const namespace = fieldOf(metadata, 'namespace') ?? defaultNamespace;
  if (!isKind(kind) || typeof name !== 'string' || typeof namespace !== 'string') return undefined;
  return resourceIdKey({ kind, namespace, name });
}

/** Sorted by place and cut to what a person can read. */
function inOrder(file: string, faults: FileFault[]): Problem[] {
  faults.sort((a, b) => a.line - b.line || a.column - b.column);
  const shown: Problem[] = faults.slice(0, mostProblems).map((fault) => ({ file, ...fault }));
  const last = shown.at(-1);
  if (faults.length <= mostProblems || last === undefined) return shown;
  return [...shown, { ...last, path: '', message: 'there are more faults in this file; repair these first' }];
}
