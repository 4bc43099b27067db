/**
 * Passes a head on: line by line what may go on, as it came, in runs as long as possible; without what belongs to the
 * connection that it came by (RFC 9110, section 7.6.1), and with what is added to it.
 */
import type { ByteWriter } from './byte-writer.ts';
import type { Fields } from './fields.ts';
import { type ConnectionOptions, isNamedByConnection } from './framing.ts';
import { headerKind, kindCount, otherSluiceHeader } from './header-kind.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

/** Names are in lower case. */
export interface HeaderChanges {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** What is not passed on, by kind: 1 for each. */
export type Withheld = Uint8Array;

export function withheld(...kinds: readonly number[]): Withheld {
  const table = new Uint8Array(kindCount);
  for (const kind of kinds) table[kind] = 1;
  return table;
}

const ofAnyConnection = [
  headerKind.connection,
  headerKind['keep-alive'],
  headerKind['proxy-connection'],
  headerKind['proxy-authenticate'],
  headerKind.te,
  headerKind.upgrade,
];

/** Of requests: the credentials are for the proxy, and `http2-settings` goes with an upgrade that is not passed on. */
export const ofRequestConnection: readonly number[] = [
  ...ofAnyConnection,
  headerKind['proxy-authorization'],
  headerKind['http2-settings'],
];

export const ofResponseConnection: readonly number[] = ofAnyConnection;

/** What agents tell each other: of anybody else it is neither asked for nor believed. */
export const ofAgents: readonly number[] = [
  headerKind['x-sluice-instance'],
  headerKind['x-sluice-reason'],
  otherSluiceHeader,
];

/** Method, target and version. An absolute target becomes a path; `host` is that of `passRequestHead`. */
export function passRequestLine(writer: ByteWriter, head: RequestHead, target: string | undefined): void {
  writer.reserve(head.end - head.start + 256);
  if (target === undefined && head.targetForm !== 'absolute') {
    writer.copy(head.bytes, head.start, head.targetEnd);
  } else {
    writer.text(head.method);
    writer.text(' ');
    if (target !== undefined) writer.text(target);
    else passAbsolute(writer, head);
  }
  writer.text(' HTTP/1.1\r\n');
}

/** `http://host` means the path "/", but of OPTIONS the server itself (RFC 9112, 3.2.4). */
function passAbsolute(writer: ByteWriter, head: RequestHead): void {
  const isEmpty = head.pathStart === head.targetEnd;
  if (isEmpty && head.method === 'OPTIONS') return writer.text('*');
  if (isEmpty || head.pathStart === head.pathEnd) writer.text('/');
  writer.copy(head.bytes, head.pathStart, head.targetEnd);
}

/** The status line, in version 1.1 whatever the upstream speaks. */
export function passStatusLine(writer: ByteWriter, head: ResponseHead): void {
  writer.reserve(head.end - head.start + 256);
  writer.text('HTTP/1.1 ');
  writer.copy(head.bytes, head.statusStart, head.statusEnd);
  // The space is there also when no reason follows.
  writer.text(head.statusEnd - head.statusStart === 3 ? ' \r\n' : '\r\n');
}

/** The header lines that may go on, without the empty line. `changes` outrank what the sender says. */
export function passFields(
  writer: ByteWriter,
  head: { readonly fields: Fields; readonly connection: ConnectionOptions },
  withheld: Withheld,
  changes: HeaderChanges | undefined,
): void {
  const { fields } = head;
  const { namesHeaders } = head.connection;
  const { count, bytes } = fields;
  let runStart = count === 0 ? 0 : fields.lineStart(0);
  for (let index = 0; index < count; index++) {
    const kind = fields.kind(index);
    // Connection can end only headers that mean nothing here: with `host` or `cookie` in it a sender would have us change
    // whom a message is for, or who sent it.
    const isLeftOut =
      withheld[kind] === 1 ||
      (namesHeaders && kind === 0 && isNamedByConnection(fields, index)) ||
      (changes !== undefined && isChanged(fields, index, changes));
    if (!isLeftOut) continue;
    writer.copy(bytes, runStart, fields.lineStart(index));
    runStart = fields.lineEnd(index);
  }
  if (count > 0) writer.copy(bytes, runStart, fields.lineEnd(count - 1));
  if (changes === undefined) return;
  for (const [name, value] of changes.set) writer.header(name, value);
  for (const [name, value] of changes.add) writer.header(name, value);
}

/** Whether the header is removed, or replaced by another value. */
function isChanged(fields: Fields, index: number, { set, remove }: HeaderChanges): boolean {
  for (const name of remove) if (fields.isNamed(index, name)) return true;
  for (const [name] of set) if (fields.isNamed(index, name)) return true;
  return false;
}
