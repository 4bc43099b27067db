/** Classes of octets by RFC 9110 and 9112, as tables: what a byte may be is one look-up. */

export const tab = 0x09;
export const lf = 0x0a;
export const cr = 0x0d;
export const space = 0x20;
export const comma = 0x2c;
export const colon = 0x3a;
export const semicolon = 0x3b;
export const questionMark = 0x3f;
export const slash = 0x2f;

/** 1 for each octet that the test holds for. */
function octetsThat(test: (octet: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => (test(octet) ? 1 : 0));
}

/** RFC 9110, 5.6.2: what names of headers and methods are made of. */
export const isTokenOctet = octetsThat((octet) => /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(octet)));

/** RFC 9110, 5.5: a value has no control characters but the tab; what is beyond ASCII is opaque. */
export const isValueOctet = octetsThat((octet) => octet === tab || (octet >= 0x20 && octet !== 0x7f));

/**
 * What a request target is made of: visible ASCII. More than RFC 3986 has ("|" and "{" are seen in practice and end
 * nothing), but no "#": some would cut the path there and some would not.
 */
export const isTargetOctet = octetsThat((octet) => octet > 0x20 && octet < 0x7f && octet !== 0x23);

/**
 * RFC 3986, 3.2.2: what hosts and ports are made of. No comma, though it is a sub-delim: no host has one, and some would
 * read several hosts.
 */
export const isHostOctet = octetsThat((octet) => /[-._~%!$&'()*+;=:[\]0-9A-Za-z]/.test(String.fromCharCode(octet)));

/** The value of a hexadecimal digit; -1 for what is none. */
export const hexValue = Int8Array.from({ length: 256 }, (_, octet) => {
  const digit = String.fromCharCode(octet);
  return /[0-9a-fA-F]/.test(digit) ? Number.parseInt(digit, 16) : -1;
});

/** ASCII letters in lower case, all else as it is. */
export const lowerCased = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
);

/** Whether a line ends among these bytes. */
export function includesLineEnd(bytes: Uint8Array, from: number, to: number): boolean {
  return bytes.subarray(from, to).includes(lf);
}

/** Whether these bytes are this text, whose letters are in lower case, in whatever case. */
export function equalsLowerCase(bytes: Uint8Array, from: number, to: number, lowerCaseText: string): boolean {
  if (to - from !== lowerCaseText.length) return false;
  for (let i = 0; i < lowerCaseText.length; i++) {
    if (lowerCased[bytes[from + i] ?? 0] !== lowerCaseText.charCodeAt(i)) return false;
  }
  return true;
}
