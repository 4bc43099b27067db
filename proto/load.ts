/**
 * Loads the .proto files of this folder and gives each message a typed codec. With `descriptors.ts` the only place that knows protobufjs;
 * with `decode.ts` of the agent and the server's door, one of the few where bytes become types.
 */
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import protobuf from 'protobufjs';

const folder = import.meta.dirname;

/** A 64-bit integer as protobufjs decodes it. All of ours are below 2^53: read them with `toNumber`. */
export type Int64 = number | { toNumber(): number };

/** What `encode` takes: any field may be left out, at every depth. */
export type Input<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer Element)[]
    ? readonly Input<Element>[]
    : T extends Int64
      ? number | T
      : T extends object
        ? { readonly [Key in keyof T]?: Input<T[Key]> | undefined }
        : T;

/** The codec of one message type. */
export interface MessageType<T> {
  /** `type.googleapis.com/<full name>`, as it stands in an Any. */
  readonly typeUrl: string;
  /** Fields go out in the order of their numbers, map entries in insertion order: equal values give equal bytes. */
  encode(message: Input<T>): Buffer;
  /** Throws on bytes that are no such message. Fields that are unset read as their default; unset messages as null. */
  decode(bytes: Uint8Array): T;
  /** Proto3 JSON; every Any whose type is known is unpacked, with its `@type`. */
  toJson(message: T): unknown;
}

/** Paths of all .proto files of this folder, relative to it, sorted. */
export function protoFiles(): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.proto'))
    .map((file) => file.split(sep).join('/'))
    .sort();
}

/**
 * Parses every own .proto file; the google/protobuf types come with protobufjs. Fields are called as in JavaScript
 * (`typeUrl`), unless they keep the names of the files (`type_url`).
 */
export function loadRoot({ keepsFieldNames = false } = {}): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(folder, target));
  root.loadSync(protoFiles(), { keepCase: keepsFieldNames });
  root.resolveAll();
  return root;
}

const root = loadRoot();

/** The codec of the message with this full name. Throws when no .proto file declares it. */
export function messageType<T>(fullName: string): MessageType<T> {
  const type = root.lookupType(fullName);
  return {
    typeUrl: `type.googleapis.com/${fullName}`,
    encode: (message) => Buffer.from(type.encode(message as object).finish()),
    // The generated types describe exactly what protobufjs decodes; test/unit/proto keeps them in step.
    decode: (bytes) => type.decode(bytes) as unknown as T,
    toJson: (message) =>
      type.toObject(message as unknown as protobuf.Message, {
        json: true,
        longs: Number,
        enums: String,
        bytes: String,
      }),
  };
}

export function toNumber(value: Int64): number {
  return typeof value === 'number' ? value : value.toNumber();
}
