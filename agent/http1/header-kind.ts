/** The headers that a proxy looks at, each a small number: found by one hash while the name is read. */
import { equalsLowerCase } from './octets.ts';

/** Names by kind; the first, of kind 0, is every other header. */
const names = [
  '',
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'upgrade',
  'http2-settings',
  'expect',
  'cookie',
  'authorization',
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-request-id',
  'traceparent',
  'x-sluice-instance',
  'x-sluice-reason',
  'x-sluice-by',
] as const;

export type HeaderName = Exclude<(typeof names)[number], ''>;

/** What agents say to each other begins so; `x-sluice-by` is for the control plane, and said by people. */
const sluicePrefix = 'x-sluice-';
/** The kind of all headers that begin so and have no kind of their own. */
export const otherSluiceHeader: number = names.length;

export const kindCount = names.length + 1;

/** The kind of a header by its name. */
export const headerKind: { readonly [Name in HeaderName]: number } = Object.assign(
  Object.create(null),
  Object.fromEntries(names.map((name, kind) => [name, kind])),
);

const dash = 0x2d;
/** So many that no two of the names share one; checked below. */
const slotBits = 10;
const kindBySlot = new Uint8Array(2 ** slotBits);

for (const [kind, name] of names.entries()) {
  if (kind === 0) continue;
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = addToHash(hash, name.charCodeAt(i));
  const slot = slotOf(hash);
  if (kindBySlot[slot] !== 0) throw new Error(`the headers ${name} and ${names[kindBySlot[slot] ?? 0]} share a slot`);
  kindBySlot[slot] = kind;
}

/** The hash of a name, octet by octet, from 0; upper and lower case are one. */
export function addToHash(hash: number, octet: number): number {
  return (Math.imul(hash, 31) + (octet | 0x20)) | 0;
}

/** 0 for a header that nobody looks at. */
export function kindOf(hash: number, bytes: Uint8Array, from: number, to: number): number {
  const kind = kindBySlot[slotOf(hash)] ?? 0;
  if (kind !== 0 && equalsLowerCase(bytes, from, to, names[kind] ?? '')) return kind;
  // Hardly any name has its "-" there.
  return bytes[from + sluicePrefix.length - 1] === dash && beginsWithSluice(bytes, from, to) ? otherSluiceHeader : 0;
}

function beginsWithSluice(bytes: Uint8Array, from: number, to: number): boolean {
  const end = from + sluicePrefix.length;
  return end <= to && equalsLowerCase(bytes, from, end, sluicePrefix);
}

function slotOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> (32 - slotBits);
}
