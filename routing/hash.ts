/**
 * Hashing of strings, the same in every agent and in every release: sticky users and start phases hang on it, so a
 * change here moves users between backends.
 *
 * The construction is MurmurHash3's (x86, two of its four 32-bit lanes, its mixing steps and its finaliser), fed with UTF-16
 * code units instead of bytes: no encoding, no buffer. It is no cryptographic hash.
 */

const c1 = 0x239b961b;
const c2 = 0xab0e9789;

/** 53 bits of hash: every integer from 0 to 2^53-1 is as likely as any other. */
export function hash53(text: string): number {
  let high = 0x9747b28c;
  let low = 0x5bd1e995;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    high = Math.imul(rotate(high ^ Math.imul(rotate(Math.imul(unit, c1), 15), c2), 19) + low, 5) + 0x561ccd1b;
    low = Math.imul(rotate(low ^ Math.imul(rotate(Math.imul(unit, c2), 16), c1), 17) + high, 5) + 0x0bcaa747;
  }
  return finish(high ^ text.length, low ^ text.length);
}

/** The hash of a pair, from the hashes of its parts; the order of the two counts. */
export function combine(first: number, second: number): number {
  return finish(
    Math.imul(upper(first), c1) ^ rotate(Math.imul(upper(second), c2), 15),
    Math.imul(lower(first), c2) ^ rotate(Math.imul(lower(second), c1), 17),
  );
}

/** A hash as a fraction in (0, 1); never 0 or 1, so that its logarithm is finite and negative. */
export function toFraction(hash: number): number {
  return (Math.floor(hash / 2) + 0.5) / 2 ** 52;
}

function finish(high: number, low: number): number {
  let a = (high + low) | 0;
  let b = (low + a) | 0;
  a = avalanche(a);
  b = avalanche(b);
  a = (a + b) | 0;
  b = (b + a) | 0;
  return (a >>> 11) * 2 ** 32 + (b >>> 0);
}

/** Murmur3's fmix32: each bit of the input changes each bit of the output with probability 1/2. */
function avalanche(bits: number): number {
  let h = bits;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function rotate(bits: number, by: number): number {
  return (bits << by) | (bits >>> (32 - by));
}

function upper(hash: number): number {
  return (hash / 2 ** 32) | 0;
}

function lower(hash: number): number {
  return hash | 0;
}
