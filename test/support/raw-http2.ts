/** HTTP/2 frame by frame, for clients that do what no library lets them do. */

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const frameType = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const;

export interface Frame {
  readonly type: number;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Buffer;
}

export function encodeFrame({ type, flags = 0, stream = 0, payload = Buffer.alloc(0) }: Frame): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Numbers of 32 bits, as in window updates, resets and goodbyes. */
export function words(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, 4 * index);
  return bytes;
}

/** A setting by its number. */
export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), words(value)]);
}

const endHeaders = 4;

/** Begins a call; names and values of up to 126 bytes, none of them compressed. */
export function beginCall(stream: number, path: string): Buffer {
  const headers = {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'sluice',
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  const fields = Object.entries(headers).map(([name, value]) => {
    return Buffer.concat([
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]);
  });
  return encodeFrame({ type: frameType.headers, flags: endHeaders, stream, payload: Buffer.concat(fields) });
}
