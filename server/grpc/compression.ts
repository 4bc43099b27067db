/** Compressed messages: clients may send them ("Message-Encoding"), what this server sends is never compressed. */
import { gunzipSync, inflateSync } from 'node:zlib';
import { StatusError, status } from './status.ts';

const decompressors: Readonly<Record<string, typeof gunzipSync>> = { gzip: gunzipSync, deflate: inflateSync };

/** For the header `grpc-accept-encoding`. */
export const acceptedEncodings = ['identity', ...Object.keys(decompressors)].join(',');

/** `encoding`: of the header `grpc-encoding`. Throws StatusError, also when the message would have more than `mostBytes`. */
export function decompress(bytes: Buffer, encoding: string | undefined, mostBytes: number): Buffer {
  const decompressor = Object.hasOwn(decompressors, encoding ?? '') ? decompressors[encoding ?? ''] : undefined;
  if (decompressor === undefined) {
    throw encoding === undefined || encoding === 'identity'
      ? new StatusError(status.INTERNAL, 'a message is compressed, and no header says how')
      : new StatusError(status.UNIMPLEMENTED, `messages cannot be compressed by "${encoding}": ${acceptedEncodings}`);
  }
  try {
    return decompressor(bytes, { maxOutputLength: mostBytes });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new StatusError(status.RESOURCE_EXHAUSTED, `a compressed message has more than ${mostBytes} bytes`);
    }
    throw new StatusError(status.INVALID_ARGUMENT, `a message cannot be decompressed by ${encoding}`);
  }
}
