/**
 * Responses as the bytes of a gRPC message: resources were framed when they were compiled, so a response is their concatenation behind a
 * small head.
 * Streams whose clients do the same are sent the same, down to the nonce: such a message is put together once for all of them.
 */
import { DeltaDiscoveryResponse, DiscoveryResponse } from '../../proto/types.ts';
import { frameMessage } from '../grpc/message-framing.ts';
import type { Protocol, Response } from './session.ts';

interface Kept {
  readonly protocol: Protocol;
  readonly nonce: string;
  readonly version: string;
  readonly serverId: string;
  readonly message: Buffer;
}

/** By what is sent: the list that clients with the same names share (`full-responses.ts`), or a resource that is sent alone. */
const kept = new WeakMap<object, Kept[]>();
/** Clients that are not in step with each other number their messages differently. */
const mostKept = 16;

export function encodeResponse(response: Response, protocol: Protocol, serverId: string): Buffer {
  const { nonce, version, resources, removed } = response;
  if (removed.length > 0 || resources.length === 0) return encode(response, protocol, serverId);
  const key = resources.length === 1 ? (resources[0] ?? resources) : resources;
  let messages = kept.get(key);
  if (messages === undefined) {
    messages = [];
    kept.set(key, messages);
  }
  for (const each of messages) {
    const isEqual =
      each.nonce === nonce && each.version === version && each.protocol === protocol && each.serverId === serverId;
    if (isEqual) return each.message;
  }
  const message = encode(response, protocol, serverId);
  if (messages.length >= mostKept) messages.length = 0;
  messages.push({ protocol, nonce, version, serverId, message });
  return message;
}

/** Fields of a protobuf message may come in any order: the small ones first, then the framed resources. */
function encode(response: Response, protocol: Protocol, serverId: string): Buffer {
  const { typeUrl, nonce, version, resources, removed } = response;
  const controlPlane = { identifier: serverId };
  if (protocol === 'sotw') {
    const head = DiscoveryResponse.encode({ typeUrl, nonce, versionInfo: version, controlPlane });
    return frameMessage([head, ...resources.map(({ framedSotw }) => framedSotw)]);
  }
  const said = { typeUrl, nonce, systemVersionInfo: version, removedResources: removed, controlPlane };
  return frameMessage([DeltaDiscoveryResponse.encode(said), ...resources.map(({ framedDelta }) => framedDelta)]);
}
