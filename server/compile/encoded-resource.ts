/**
 * A compiled resource in the bytes that go out: encoded once, whoever it is sent to. Its version is the hash of its
 * bytes, so equal resources have equal versions on every server and after every restart.
 */
import { createHash } from 'node:crypto';
import type { Input, MessageType } from '../../proto/load.ts';
import { Any, Resource } from '../../proto/types.ts';

export interface EncodedResource {
  readonly typeUrl: string;
  readonly name: string;
  /** 16 hexadecimal digits. */
  readonly version: string;
  /** The message itself. */
  readonly bytes: Buffer;
  /** As an element of `DeltaDiscoveryResponse.resources`, with field tag and length. */
  readonly framedDelta: Buffer;
  /** As an element of `DiscoveryResponse.resources`, with field tag and length. */
  readonly framedSotw: Buffer;
}

/** `version`: only for what is no state but an event; else the hash of the bytes. */
export function encodeResource<T>(
  type: MessageType<T>,
  name: string,
  message: Input<T>,
  version?: string,
): EncodedResource {
  const bytes = type.encode(message);
  return encodeBytes(type.typeUrl, name, bytes, version ?? hashOf(bytes));
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

function encodeBytes(typeUrl: string, name: string, bytes: Buffer, version: string): EncodedResource {
  const any = { type_url: typeUrl, value: bytes };
  return {
    typeUrl,
    name,
    version,
    bytes,
    framedDelta: frame(2, Resource.encode({ name, version, resource: any })),
    framedSotw: frame(2, Any.encode(any)),
  };
}

/** A length-delimited field: tag, length, bytes. */
export function frame(field: number, bytes: Uint8Array): Buffer {
  const head = [(field << 3) | 2];
  let length = bytes.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}
