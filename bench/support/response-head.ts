/** Type and nonce of a discovery response, of either protocol, without decoding what it brings: both have them in the same fields. */

export interface ResponseHead {
  readonly typeUrl: string;
  readonly nonce: string;
}

const typeUrlField = 4;
const nonceField = 5;

export function readHead(bytes: Buffer): ResponseHead {
  let typeUrl = '';
  let nonce = '';
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const octet = bytes[at++] ?? 0;
      value |= (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
  };
  // All fields of these messages are length-delimited.
  while (at < bytes.length) {
    const field = varint() >>> 3;
    const length = varint();
    if (field === typeUrlField) typeUrl = bytes.toString('utf8', at, at + length);
    if (field === nonceField) nonce = bytes.toString('utf8', at, at + length);
    at += length;
  }
  return { typeUrl, nonce };
}
