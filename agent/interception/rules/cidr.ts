/** Ranges of IP addresses, in the one spelling in which the kernel's tools list them. Pure. */
import { isIP, isIPv4 } from 'node:net';

export type IpFamily = 'ipv4' | 'ipv6';

export interface Cidr {
  readonly family: IpFamily;
  /** Lower case, shortest form, bits behind the prefix 0. */
  readonly address: string;
  /** Bits: 0 to 32, or to 128. */
  readonly prefix: number;
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. Undefined when the text is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const [, plain = '', digits] = /^([\da-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (isIP(plain) === 0) return undefined;
  const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
  const bits = family === 'ipv4' ? 32 : 128;
  const prefix = digits === undefined ? bits : Number(digits);
  if (prefix > bits) return undefined;
  const value = family === 'ipv4' ? ipv4Value(plain) : ipv6Value(plain);
  const hostBits = BigInt(bits - prefix);
  const masked = (value >> hostBits) << hostBits;
  return { family, address: family === 'ipv4' ? ipv4Text(masked) : ipv6Text(masked), prefix };
}

/** A single address is written without its prefix, as nft lists it. */
export function formatCidr({ family, address, prefix }: Cidr): string {
  return prefix === (family === 'ipv4' ? 32 : 128) ? address : `${address}/${prefix}`;
}

/** With its prefix in any case, as iptables-save and ip write it. */
export function formatWithPrefix({ address, prefix }: Cidr): string {
  return `${address}/${prefix}`;
}

/** A line of a tool's list with every address in our spelling: C libraries differ in what they write with dots. */
export function withOneSpelling(line: string): string {
  return line.replace(/[^\s"]+/g, (word) => {
    const range = /[.:]/.test(word) ? parseCidr(word) : undefined;
    return range === undefined ? word : formatCidr(range);
  });
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function ipv4Text(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
}

function ipv6Value(text: string): bigint {
  // The last 32 bits may be written as an IPv4 address.
  const hex = text.replace(/[\d.]+\.\d+$/, (tail) => {
    const value = ipv4Value(tail);
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  });
  const [head = '', tail] = hex.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const before = head === '' ? [] : head;
  const after = tail ?? [];
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

/** RFC 5952: the longest run of at least two zero groups, the first of equal ones, becomes `::`. */
function ipv6Text(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16));
  // So written by everybody.
  if (value >> 32n === 0xffffn) return `::ffff:${ipv4Text(value & 0xffffffffn)}`;
  const runs = groups.map((_, at) => groups.slice(at).findIndex((group) => group !== '0'));
  const lengths = runs.map((length, at) => (length === -1 ? 8 - at : length));
  const longest = Math.max(...lengths);
  if (longest < 2) return groups.join(':');
  const at = lengths.indexOf(longest);
  return `${groups.slice(0, at).join(':')}::${groups.slice(at + longest).join(':')}`;
}
