/**
 * Responses as bytes: resources were framed when they were compiled, so a response is their concatenation behind a small head.
 * Lists of resources that many streams are sent are the same array (`full-responses.ts`): their bytes are put together once.
 */
import { DeltaDiscoveryResponse, DiscoveryResponse } from '../../proto/types.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { Protocol, Response } from './session.ts';

/** Fewer are put together again each time: it takes less than to look them up. */
const worthKeeping = 8;

const bodies: Readonly<Record<Protocol, WeakMap<readonly EncodedResource[], Buffer>>> = {
  sotw: new WeakMap(),
  delta: new WeakMap(),
};

/** Fields of a protobuf message may come in any order: the small ones first, then the framed resources. */
export function encodeResponse(response: Response, protocol: Protocol, serverId: string): Buffer {
  const { typeUrl, nonce, version, resources, removed } = response;
  const controlPlane = { identifier: serverId };
  const head =
    protocol === 'delta'
      ? DeltaDiscoveryResponse.encode({
          typeUrl,
          nonce,
          systemVersionInfo: version,
          removedResources: removed,
          controlPlane,
        })
      : DiscoveryResponse.encode({ typeUrl, nonce, versionInfo: version, controlPlane });
  if (resources.length >= worthKeeping) return Buffer.concat([head, bodyOf(resources, protocol)]);
  return Buffer.concat([head, ...framed(resources, protocol)]);
}

function bodyOf(resources: readonly EncodedResource[], protocol: Protocol): Buffer {
  const present = bodies[protocol].get(resources);
  if (present !== undefined) return present;
  const body = Buffer.concat(framed(resources, protocol));
  bodies[protocol].set(resources, body);
  return body;
}

function framed(resources: readonly EncodedResource[], protocol: Protocol): Buffer[] {
  return resources.map(({ framedDelta, framedSotw }) => (protocol === 'delta' ? framedDelta : framedSotw));
}
