/**
 * The grammar of chunk extensions (RFC 9112, section 7.1.1), octet by octet: `;name`, `;name=token`, `;name="quoted text"`.
 * Nobody here knows any extension, but where one ends, the chunk begins: who reads it otherwise reads another body. White
 * space between the parts, which the grammar has for the sake of bad senders, is refused.
 */
import { cr, isTokenOctet, isValueOctet, semicolon } from './octets.ts';

export type ExtensionState =
  | 'before name'
  | 'name'
  | 'before value'
  | 'value'
  | 'quoted'
  /** Behind a backslash within quotes. */
  | 'escaped'
  | 'behind quotes'
  /** The CR behind the last extension. */
  | 'end';

const equalsSign = 0x3d;
const quote = 0x22;
const backslash = 0x5c;

/** The state behind one octet more; undefined when it must not stand there. */
export function afterExtensionOctet(state: ExtensionState, octet: number): ExtensionState | undefined {
  switch (state) {
    case 'before name':
      return isToken(octet) ? 'name' : undefined;
    case 'name':
      if (isToken(octet)) return 'name';
      return octet === equalsSign ? 'before value' : afterExtension(octet);
    case 'before value':
      if (octet === quote) return 'quoted';
      return isToken(octet) ? 'value' : undefined;
    case 'value':
      return isToken(octet) ? 'value' : afterExtension(octet);
    case 'quoted':
      if (octet === quote) return 'behind quotes';
      if (octet === backslash) return 'escaped';
      return isText(octet) ? 'quoted' : undefined;
    case 'escaped':
      return isText(octet) ? 'quoted' : undefined;
    case 'behind quotes':
      return afterExtension(octet);
    case 'end':
      return undefined;
  }
}

function afterExtension(octet: number): ExtensionState | undefined {
  if (octet === semicolon) return 'before name';
  return octet === cr ? 'end' : undefined;
}

function isToken(octet: number): boolean {
  return isTokenOctet[octet] === 1;
}

function isText(octet: number): boolean {
  return isValueOctet[octet] === 1;
}
