/** Responses as bytes: resources were framed when they were compiled, so a response is their concatenation. */
import { DeltaDiscoveryResponse, DiscoveryResponse } from '../../proto/types.ts';
import type { Response } from './session.ts';
import type { Protocol } from './subscription.ts';

/** Fields of a protobuf message may come in any order: the small ones first, then the framed resources. */
export function encodeResponse(response: Response, protocol: Protocol, serverId: string): Buffer {
  const { typeUrl, nonce, version, resources, removed } = response;
  const controlPlane = { identifier: serverId };
  if (protocol === 'delta') {
    const head = { typeUrl, nonce, systemVersionInfo: version, removedResources: removed, controlPlane };
    return Buffer.concat([DeltaDiscoveryResponse.encode(head), ...resources.map(({ framedDelta }) => framedDelta)]);
  }
  const head = { typeUrl, nonce, versionInfo: version, controlPlane };
  return Buffer.concat([DiscoveryResponse.encode(head), ...resources.map(({ framedSotw }) => framedSotw)]);
}
