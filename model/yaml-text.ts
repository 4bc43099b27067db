/**
 * Text to YAML documents, and everything that is wrong with the text as such: its size, its characters, its syntax.
 * JSON is YAML, so it comes the same way. Guards against texts that are small to send and dear to read.
 */
import { Composer, type CST, type Document, Lexer, Parser, type YAMLError } from 'yaml';

/** A fault at a place in the text. */
export interface TextFault {
  readonly is: 'fault';
  readonly offset: number;
  readonly message: string;
  /** It is no YAML, and the message says so in words of YAML. */
  readonly isSyntax?: true;
}

/** A document without syntax faults and not empty; comments alone are no document. */
export interface YamlDocument {
  readonly is: 'document';
  readonly document: Document.Parsed;
}

/** The deepest field of the format is at 10; the reader of nested values calls itself, so there must be an end. */
const deepestNesting = 32;
/** Starts and ends. More documents than a mesh has rules; creating one is dear beside the four bytes that ask for it. */
const mostDocuments = 10_000;
/** In one document, white space and comments too. A list of a thousand resources has half of it. */
const mostTokens = 500_000;
/** Of syntax errors and directives; a person repairs the first few and asks again. */
const mostErrors = 1_000;

/**
 * The documents and the faults of a text, one by one: nothing is kept of a document that was handed out, and a reader
 * who has seen enough stops the reading.
 */
export function* readYaml(text: string, maxBytes: number): Generator<YamlDocument | TextFault> {
  const unreadable = faultOfText(text, maxBytes);
  if (unreadable !== undefined) return yield unreadable;
  // uniqueKeys would compare each key with all before it: minutes for a large map. `readDocument` does it with a map.
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: 'silent', version: '1.2' });
  for (const item of boundedTokens(text)) {
    if ('is' in item) yield item;
    else for (const document of composer.next(item)) yield* outcome(document);
  }
  for (const document of composer.end()) yield* outcome(document);
  for (const error of composer.streamInfo().errors) yield faultOfSyntax(error);
}

/** The syntax tree of each document that keeps to the limits; after a document that does not the text is given up. */
function* boundedTokens(text: string): Generator<CST.Token | TextFault> {
  const parser = new Parser();
  let documents = 0;
  let tokens = 0;
  let errors = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    tokens += 1;
    if (lexeme === '---' || lexeme === '...') {
      tokens = 0;
      documents += 1;
    }
    if (documents > mostDocuments) return yield fault(offset, `more than ${mostDocuments} documents in one file`);
    if (tokens > mostTokens) return yield fault(offset, 'a document as large as this is not read; split it');
    for (const token of parser.next(lexeme)) {
      yield* shallow(token);
      errors += token.type === 'error' || token.type === 'directive' ? 1 : 0;
    }
    if (errors > mostErrors) return yield fault(offset, 'too many errors; the rest is not read');
    offset += controlCodes.has(lexeme) ? 0 : lexeme.length;
  }
  for (const token of parser.end()) yield* shallow(token);
}

/** What the lexer says between the pieces of the text. */
const controlCodes = new Set(['\u0002', '\u0018', '\u001f']);

/** Leaves out documents that are empty or too deep. */
function* shallow(token: CST.Token): Generator<CST.Token | TextFault> {
  if (token.type !== 'document') return yield token;
  const deep = tooDeepAt(token);
  if (deep !== undefined) return yield fault(deep, `nested more than ${deepestNesting} levels deep`);
  if (!isEmpty(token)) yield token;
}

function* outcome(document: Document.Parsed): Generator<YamlDocument | TextFault> {
  const version = document.directives.yaml;
  if (version.explicit && version.version !== '1.2') {
    return yield fault(document.range[0], `is written in YAML ${version.version}; only 1.2 is supported`);
  }
  // Unknown directives are warnings to the library; here they would be silently ignored, so they are errors.
  const errors = [...document.errors, ...document.warnings.filter(({ code }) => code === 'BAD_DIRECTIVE')];
  if (errors.length === 0) yield { is: 'document', document };
  // One slip makes the library complain several times at one place; the first complaint is the nearest to the slip.
  const said = new Set<number>();
  for (const error of errors) {
    if (said.has(error.pos[0])) continue;
    said.add(error.pos[0]);
    yield faultOfSyntax(error);
  }
}

function faultOfText(text: string, maxBytes: number): TextFault | undefined {
  // From JavaScript, or a body that was never decoded.
  if (typeof text !== 'string') return fault(0, 'is not text');
  if (utf8Bytes(text, maxBytes) > maxBytes) {
    return fault(0, `is larger than ${maxBytes / 1024 / 1024} MiB; split it into several files`);
  }
  const control = text.search(/[^\P{Cc}\t\n\r\u0085]/u);
  if (control === -1) return undefined;
  const code = text.charCodeAt(control);
  const name = code === 0 ? 'a NUL character; is this UTF-8 text?' : `the control character ${hex(code)}`;
  return fault(control, `contains ${name}`);
}

/** Only counted byte by byte when the number of characters does not settle it. */
function utf8Bytes(text: string, maxBytes: number): number {
  if (text.length > maxBytes || text.length * 3 <= maxBytes) return text.length;
  return new TextEncoder().encode(text).length;
}

/** Whether a document is comments and white space. */
function isEmpty({ value, start }: CST.Document): boolean {
  return value === undefined && !start.some(({ type }) => type === 'anchor' || type === 'tag');
}

/** Offset of the first value beyond the deepest level. Keeps its own stack, for the depth is the sender's. */
function tooDeepAt(document: CST.Document): number | undefined {
  const open: { token: CST.Token; depth: number }[] = [];
  const visit = (token: CST.Token | null | undefined, depth: number) => token && open.push({ token, depth });
  visit(document.value, 0);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > deepestNesting) return token.offset;
    if (!('items' in token)) continue;
    for (const item of token.items) {
      visit(item.key, depth + 1);
      visit(item.value, depth + 1);
    }
  }
  return undefined;
}

function faultOfSyntax({ code, message, pos }: YAMLError): TextFault {
  const [first = ''] = message.split('\n');
  const words = `${first.slice(0, 1).toLowerCase()}${first.slice(1, 200)}`;
  const said = code === 'TAB_AS_INDENT' ? 'a tab is used for indentation; use spaces' : words;
  return { ...fault(pos[0], `is no valid YAML: ${said}`), isSyntax: true };
}

function fault(offset: number, message: string): TextFault {
  return { is: 'fault', offset, message };
}

function hex(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
