/**
 * Where a text stops being JSON. `JSON.parse` says that it does, but not always where; this runs only after it has
 * failed, to tell the author.
 */

export interface JsonFault {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** What may come next; `value-or-end` and `key-or-end` right after an opening bracket. */
type Expecting = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing';

const tokens =
  /[ \t\n\r]+|"(?:[^"\\\p{Cc}]|\u007f|[\u0080-\u009f]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[[\]{}:,]/uy;

const sentences: Readonly<Record<Expecting, string>> = {
  value: 'expected a value',
  'value-or-end': 'expected a value or "]"',
  key: 'expected a name in double quotes',
  'key-or-end': 'expected a name in double quotes or "}"',
  colon: 'expected ":"',
  'comma-or-end': 'expected "," or the end of this map or list',
  nothing: 'expected nothing more after the value',
};

/** Undefined when the text is JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  const open: ('{' | '[')[] = [];
  let expecting: Expecting = 'value';
  let at = 0;
  while (at < text.length) {
    tokens.lastIndex = at;
    const token = tokens.exec(text)?.[0];
    if (token === undefined) return fault(text, at, expecting);
    if (token.trim() !== '') {
      const next = step(token, expecting, open);
      if (next === undefined) return fault(text, at, expecting);
      expecting = next;
    }
    at += token.length;
  }
  return expecting === 'nothing' ? undefined : fault(text, text.length, expecting);
}

function step(token: string, expecting: Expecting, open: ('{' | '[')[]): Expecting | undefined {
  const afterValue = (): Expecting => (open.length === 0 ? 'nothing' : 'comma-or-end');
  switch (token) {
    case '{':
    case '[':
      if (expecting !== 'value' && expecting !== 'value-or-end') return undefined;
      open.push(token);
      return token === '{' ? 'key-or-end' : 'value-or-end';
    case '}':
    case ']': {
      const mayEnd = expecting === 'comma-or-end' || expecting === (token === '}' ? 'key-or-end' : 'value-or-end');
      if (!mayEnd || open.at(-1) !== (token === '}' ? '{' : '[')) return undefined;
      open.pop();
      return afterValue();
    }
    case ':':
      return expecting === 'colon' ? 'value' : undefined;
    case ',':
      if (expecting !== 'comma-or-end') return undefined;
      return open.at(-1) === '{' ? 'key' : 'value';
    default:
      if (expecting === 'value' || expecting === 'value-or-end') return afterValue();
      return token.startsWith('"') && (expecting === 'key' || expecting === 'key-or-end') ? 'colon' : undefined;
  }
}

function fault(text: string, at: number, expecting: Expecting): JsonFault {
  const before = text.slice(0, at);
  const found =
    at >= text.length ? 'the end of the text' : JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
  return {
    line: before.split('\n').length,
    column: at - before.lastIndexOf('\n'),
    message: `is not JSON: ${sentences[expecting]}, found ${found}`,
  };
}
