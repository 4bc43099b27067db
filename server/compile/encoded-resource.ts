/**
 * A compiled resource in the bytes that go out: encoded once, whoever it is sent to. Its version is the hash of its
 * bytes, so equal resources have equal versions on every server and after every restart.
 */
import { createHash } from 'node:crypto';
import type { Input, MessageType } from '../../proto/load.ts';
import { Any, Resource } from '../../proto/types.ts';

export class EncodedResource {
  readonly typeUrl: string;
  readonly name: string;
  /** 16 hexadecimal digits. */
  readonly version: string;
  /** The message itself. */
  readonly bytes: Buffer;
  /** The route configuration that a scope stands for; '' of all others. */
  readonly routes: string;
  #framedDelta: Buffer | undefined;
  #framedSotw: Buffer | undefined;

  constructor({
    typeUrl,
    name,
    version,
    bytes,
    routes = '',
  }: Pick<EncodedResource, 'typeUrl' | 'name' | 'version' | 'bytes'> & { readonly routes?: string }) {
    this.typeUrl = typeUrl;
    this.name = name;
    this.version = version;
    this.bytes = bytes;
    this.routes = routes;
  }

  /** As an element of `DeltaDiscoveryResponse.resources`, with field tag and length. Made for the first who gets it. */
  get framedDelta(): Buffer {
    this.#framedDelta ??= frame(2, Resource.encode({ name: this.name, version: this.version, resource: this.#any }));
    return this.#framedDelta;
  }

  /** As an element of `DiscoveryResponse.resources`, likewise. */
  get framedSotw(): Buffer {
    this.#framedSotw ??= frame(2, Any.encode(this.#any));
    return this.#framedSotw;
  }

  /** What it takes in a response of either kind, at most: bytes. */
  get size(): number {
    return this.bytes.length + 3 * this.name.length + this.typeUrl.length + mostFraming;
  }

  get #any() {
    return { type_url: this.typeUrl, value: this.bytes };
  }
}

/** Version, tags and lengths. */
const mostFraming = 64;

/** `version`: only for what is no state but an event; else the hash of the bytes. `routes`: of a scope. */
export function encodeResource<T>(
  type: MessageType<T>,
  name: string,
  message: Input<T>,
  { version, routes }: { readonly version?: string; readonly routes?: string } = {},
): EncodedResource {
  const bytes = type.encode(message);
  return new EncodedResource({
    typeUrl: type.typeUrl,
    name,
    version: version ?? hashOf(bytes),
    bytes,
    ...(routes !== undefined && { routes }),
  });
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

/** A length-delimited field: tag, length, bytes. */
export function frame(field: number, bytes: Uint8Array): Buffer {
  const head = [(field << 3) | 2];
  let length = bytes.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}
