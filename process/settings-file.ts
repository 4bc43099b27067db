/** Reads the file of `--config`: one YAML or JSON map of settings. Knows lines, not what the settings mean. */
import { readFileSync, statSync } from 'node:fs';
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit, type YAMLMap } from 'yaml';
import type { Problem } from '../model/problem.ts';
import { type FileItem, type FileValues, noFile } from './file-values.ts';

/** A file of settings is some lines; one that is larger is the wrong file. */
const largestBytes = 1024 * 1024;

export function readSettingsFile(path: string): FileValues {
  const refuse = (message: string): FileValues => ({
    values: new Map(),
    problems: [{ file: path, path: '', message }],
  });
  let text: string;
  try {
    if (statSync(path).size > largestBytes) return refuse(`is larger than ${largestBytes} bytes`);
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    return refuse(`cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return parseSettings(path, text);
}

function parseSettings(file: string, text: string): FileValues {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col, path: '' };
  };
  const problems = document.errors.map((error) => ({ ...place(error.pos[0]), message: error.message }));
  // Settings have no use for aliases, and "YAML bombs" are made of them.
  visit(document, {
    Alias: (_key, { range }) => {
      problems.push({ ...place(range?.[0] ?? 0), message: 'aliases are not allowed in settings' });
    },
  });
  if (problems.length > 0) return { values: new Map(), problems };
  // An empty file has no contents: no settings, nothing wrong.
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return noFile;
  if (!isMap(document.contents)) {
    return { values: new Map(), problems: [{ ...place(0), message: 'must be a map of settings: `key: value` lines' }] };
  }
  return { values: entriesOf(document.contents, document, place), problems };
}

function entriesOf(
  map: YAMLMap,
  document: ReturnType<typeof parseDocument>,
  place: (offset: number) => Omit<Problem, 'message'>,
): FileValues['values'] {
  return new Map(
    map.items.map(({ key, value }) => {
      const offset = isNode(key) ? (key.range?.[0] ?? 0) : 0;
      const plain = isNode(value) ? value.toJS(document) : value;
      const items = isSeq(value) && { items: value.items.map((item) => itemOf(item, document, place)) };
      return [String(isScalar(key) ? key.value : key), { value: plain, at: place(offset), ...items }];
    }),
  );
}

function itemOf(
  item: unknown,
  document: ReturnType<typeof parseDocument>,
  place: (offset: number) => Omit<Problem, 'message'>,
): FileItem {
  const at = place(isNode(item) ? (item.range?.[0] ?? 0) : 0);
  return { at, values: isMap(item) ? entriesOf(item, document, place) : undefined };
}
