/**
 * Text of rules that becomes part of the head of a message. The control plane takes nothing else into a rule; but what ends
 * a line here begins another one there, so it is looked at again where it comes off the wire.
 */
import { UnusableError } from './refusal.ts';

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Octets, since that is what is written; without control characters but the tab. */
const value = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Of a path, a host or an id: visible ASCII, in which no line and no word ends. */
const visible = /^[!-~]*$/;

/** Throws UnusableError, naming `where`, unless it is the name of a header or a cookie. */
export function assertToken(text: string, where: string): void {
  if (!token.test(text))
    throw new UnusableError(where, `${JSON.stringify(text)} cannot be the name of a header or a cookie`);
}

/** Throws UnusableError, naming `where`, unless it can be the value of a header. */
export function assertHeaderValue(text: string, where: string): void {
  if (!value.test(text)) throw new UnusableError(where, `${JSON.stringify(text)} cannot be the value of a header`);
}

/** Throws UnusableError, naming `where`, unless it can be part of a path, a host or an id. */
export function assertVisible(text: string, where: string): void {
  if (!visible.test(text)) {
    throw new UnusableError(where, `${JSON.stringify(text)} has a character that no path, host or id has`);
  }
}
