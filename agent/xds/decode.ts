/** Bytes from the wire or the disk become resources here, or a sentence that says why they cannot. */
import type { MessageType } from '../../proto/load.ts';
import {
  Cluster,
  ClusterLoadAssignment,
  Listener,
  Name,
  type Resource,
  Revision,
  RouteConfiguration,
} from '../../proto/types.ts';
import {
  type Held,
  type MutableTables,
  markName,
  markTypeUrl,
  type ResourceKind,
  type ResourceMessages,
  typeUrls,
} from './resources.ts';

/** How the bytes of a kind are read, and the name that stands in them. */
interface Decoder<Message> {
  readonly codec: MessageType<Message>;
  readonly nameOf: (message: Message) => string;
}

const decoders: { readonly [Kind in ResourceKind]: Decoder<ResourceMessages[Kind]> } = {
  endpoints: { codec: ClusterLoadAssignment, nameOf: ({ clusterName }) => clusterName },
  clusters: { codec: Cluster, nameOf: ({ name }) => name },
  routeConfigurations: { codec: RouteConfiguration, nameOf: ({ name }) => name },
  listeners: { codec: Listener, nameOf: ({ name }) => name },
  names: { codec: Name, nameOf: ({ name }) => name },
};

/** Puts the resource into its table. Answers with the reason when it cannot be read; the table is unchanged then. */
export function decodeInto(
  tables: MutableTables,
  kind: ResourceKind,
  resource: { readonly name: string; readonly version: string; readonly bytes: Uint8Array },
): string | undefined {
  const { name, version, bytes } = resource;
  if (name === '') return 'has no name';
  if (version === '') return 'has no version';
  const decoded = decodeHeld(kind, name, version, bytes);
  if (typeof decoded === 'string') return decoded;
  putInto(tables, kind, name, decoded);
  return undefined;
}

/** As `decodeInto`, for a resource of a response. */
export function decodeResource(tables: MutableTables, kind: ResourceKind, resource: Resource): string | undefined {
  const any = resource.resource;
  if (any === null) return 'has no content';
  if (any.type_url !== typeUrls[kind]) return `is of type ${any.type_url} in a response of type ${typeUrls[kind]}`;
  return decodeInto(tables, kind, { name: resource.name, version: resource.version, bytes: any.value });
}

/** The commit mark, or why it is none. */
export function decodeMark(resources: readonly Resource[]): Revision | string {
  const [resource, ...others] = resources;
  if (resource === undefined || others.length > 0)
    return `a response of marks has ${resources.length} resources, not 1`;
  if (resource.name !== markName) return `the mark is called "${resource.name}", not "${markName}"`;
  if (resource.resource?.type_url !== markTypeUrl)
    return `the mark is of type ${resource.resource?.type_url ?? 'nothing'}`;
  try {
    const mark = Revision.decode(resource.resource.value);
    return mark.meshId === '' ? 'the mark names no mesh' : mark;
  } catch (cause) {
    return `the mark cannot be decoded: ${sentenceOf(cause)}`;
  }
}

/** The JSON form of a resource, for the operator. */
export function toJson<Kind extends ResourceKind>(kind: Kind, held: Held<Kind>): unknown {
  return decoders[kind].codec.toJson(held.message);
}

function decodeHeld<Kind extends ResourceKind>(
  kind: Kind,
  name: string,
  version: string,
  bytes: Uint8Array,
): Held<Kind> | string {
  const { codec, nameOf } = decoders[kind];
  // A copy: what comes from the wire is a slice of a buffer that may be far larger, and would be kept alive whole.
  const own = Uint8Array.from(bytes);
  try {
    const message = codec.decode(own);
    const inner = nameOf(message);
    return inner === name ? { version, bytes: own, message } : `is called "${inner}" inside`;
  } catch (cause) {
    return `cannot be decoded: ${sentenceOf(cause)}`;
  }
}

function putInto<Kind extends ResourceKind>(tables: MutableTables, kind: Kind, name: string, held: Held<Kind>): void {
  tables[kind].set(name, held);
}

function sentenceOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
