/**
 * The file that an agent starts from when no server answers: what it held, with a checksum over all of it. Pure: bytes
 * in, bytes out. A file that is not exactly what was written is refused, never half believed.
 *
 *     8 bytes  "SLUICELG"        32 bytes  SHA-256 of everything that follows it
 *     4 bytes  format version     4 bytes  length of the index
 *     index: JSON                 the resources' bytes, one after the other
 */
import { createHash } from 'node:crypto';
import { decodeInto } from '../xds/decode.ts';
import { copyTables, type HeldMesh, kindOf, resourceKinds, typeUrls } from '../xds/resources.ts';

/** What is kept. `names` are those the agent was subscribed to, in use or not. */
export interface LastGood {
  readonly held: HeldMesh;
  readonly names: readonly string[];
}

export const formatVersion = 1;
/** Far above the mesh of any one agent; a larger file is not ours. */
export const largestFileBytes = 512 * 1024 * 1024;

const magic = Buffer.from('SLUICELG');
const checksumAt = magic.length;
const versionAt = checksumAt + 32;
const indexLengthAt = versionAt + 4;
const indexAt = indexLengthAt + 4;

interface Index {
  readonly meshId: string;
  readonly revision: number;
  readonly names: readonly string[];
  readonly resources: readonly ResourceEntry[];
}

type ResourceEntry = readonly [typeUrl: string, name: string, version: string, lengthInBytes: number];

export function encodeLastGood({ held, names }: LastGood): Buffer {
  const resources: ResourceEntry[] = [];
  const bodies: Uint8Array[] = [];
  for (const kind of resourceKinds) {
    for (const [name, { version, bytes }] of held.tables[kind]) {
      resources.push([typeUrls[kind], name, version, bytes.length]);
      bodies.push(bytes);
    }
  }
  const { meshId, revision } = held;
  const index = Buffer.from(JSON.stringify({ meshId, revision, names, resources }));
  const file = Buffer.concat([Buffer.alloc(indexAt), index, ...bodies]);
  magic.copy(file);
  file.writeUInt32BE(formatVersion, versionAt);
  file.writeUInt32BE(index.length, indexLengthAt);
  checksumOf(file).copy(file, checksumAt);
  return file;
}

/** What was kept, or a sentence that says why the file cannot be used. */
export function decodeLastGood(file: Buffer): LastGood | string {
  if (file.length < indexAt || !file.subarray(0, magic.length).equals(magic)) return 'it is no last-good file';
  const version = file.readUInt32BE(versionAt);
  if (!checksumOf(file).equals(file.subarray(checksumAt, versionAt))) return 'its checksum is wrong: it is damaged';
  if (version !== formatVersion) return `its format is version ${version}; this agent reads version ${formatVersion}`;
  const bodiesAt = indexAt + file.readUInt32BE(indexLengthAt);
  const index = parseJson(file.toString('utf8', indexAt, bodiesAt));
  if (!isIndex(index)) return 'its index cannot be read';

  const { meshId, revision, names, resources } = index;
  const tables = copyTables();
  let at = bodiesAt;
  for (const [typeUrl, name, resourceVersion, length] of resources) {
    const kind = kindOf(typeUrl);
    const bytes = file.subarray(at, at + length);
    if (kind === undefined) return `it holds a resource of the unknown type ${typeUrl}`;
    const fault = decodeInto(tables, kind, { name, version: resourceVersion, bytes });
    if (fault !== undefined) return `its resource ${name} ${fault}`;
    at += length;
  }
  return at === file.length ? { held: { meshId, revision, tables }, names } : 'its length is not that of its resources';
}

/** Over the magic, too: over everything but the checksum itself. */
function checksumOf(file: Buffer): Buffer {
  return createHash('sha256').update(file.subarray(0, checksumAt)).update(file.subarray(versionAt)).digest();
}

/** By hand: what reads settings and rules would be all that an agent carries for this. */
function isIndex(value: unknown): value is Index {
  if (typeof value !== 'object' || value === null) return false;
  const meshId: unknown = Reflect.get(value, 'meshId');
  const names: unknown = Reflect.get(value, 'names');
  const resources: unknown = Reflect.get(value, 'resources');
  return (
    isText(meshId) &&
    meshId !== '' &&
    isCount(Reflect.get(value, 'revision')) &&
    Array.isArray(names) &&
    names.every(isText) &&
    Array.isArray(resources) &&
    resources.every(isResourceEntry)
  );
}

function isResourceEntry(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [typeUrl, name, version, length, ...more] = value;
  return isText(typeUrl) && isText(name) && isText(version) && isCount(length) && more.length === 0;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
