/**
 * A fault in something a person wrote, as a value: where it stands and one sentence about it.
 * Never an exception: whoever reads input collects problems and answers with all of them at once.
 */

/** The way from the top of a document to one of its values: `['spec', 'rules', 2, 'backends']`. */
export type Path = readonly (string | number)[];

/** One fault. Lines and columns count from 1; they are absent when the input has no text (a REST parameter, a flag). */
export interface Problem {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** Written as by `formatPath`; '' when the whole input is meant. */
  readonly path: string;
  readonly message: string;
}

/** `file:line:column: path: message`, leaving out what the problem does not have. */
export function formatProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(':');
  return [place, problem.path, problem.message].filter((part) => part !== '').join(': ');
}

/** `spec.rules[2].headers["x y"]`: dots for words, brackets for the rest; the top itself is ''. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(segment) || segment.length > longestQuoted) return `${text}[${quote(segment)}]`;
    return text === '' ? segment : `${text}.${segment}`;
  }, '');
}

/** What `formatPath` has written; of a word that it has shortened what is left. */
export function parsePath(text: string): Path {
  const segments = text.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g);
  return [...segments].map(([, index, quoted, word = '']) => {
    if (index !== undefined) return Number(index);
    return quoted === undefined ? word : String(JSON.parse(quoted));
  });
}

/** The text in double quotes, on one line and shortened: a message stays a sentence whatever was written. */
export function quote(text: string): string {
  return JSON.stringify(text.length > longestQuoted ? `${text.slice(0, longestQuoted)}…` : text);
}

const longestQuoted = 80;
