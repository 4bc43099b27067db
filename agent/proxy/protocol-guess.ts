/** What is spoken on a port that nobody has declared: told by the first bytes, of HTTP/1 alone. */

/** `unclear`: it begins like HTTP, and there is too little of it to know. */
export type Guess = 'http' | 'other' | 'unclear';

/** Longer words are no method that anybody uses. */
const mostMethodBytes = 20;

/** HTTP/1 begins with a method in capitals and a space; what else begins so takes the bytes for a request of its own anyway. */
export function guessProtocol(bytes: Uint8Array): Guess {
  for (const [index, octet] of bytes.entries()) {
    if (octet === 0x20) return index >= 3 ? 'http' : 'other';
    const isInMethod = (octet >= 0x41 && octet <= 0x5a) || octet === 0x2d || octet === 0x5f;
    if (!isInMethod || index >= mostMethodBytes) return 'other';
  }
  return 'unclear';
}
