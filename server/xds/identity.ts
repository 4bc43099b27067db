/** Who is on the other end of a stream, as the node of its first message says. */

import { fromStruct, type Json } from '../../proto/struct.ts';
import type { Node } from '../../proto/types.ts';
import type { ForeignKind } from '../compile/compiled-variant.ts';
import type { Protocol } from './session.ts';

export interface StreamIdentity {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  /** Of its locality; '' when it has none. */
  readonly zone: string;
  /** 'sluice' for own agents. */
  readonly userAgent: string;
  /** Which protocol and which resources it takes: those of own agents, of Envoy, or of gRPC libraries. */
  readonly kind: 'agent' | ForeignKind;
  readonly version: string;
  readonly hasApp: boolean;
  readonly presented: { readonly meshId: string; readonly revision: number };
  /** `node.metadata.sluice` as it came: what else a kind of client says there is read by its view. */
  readonly metadata: { readonly [key: string]: Json };
}

/** `node.user_agent_name` of own agents. */
export const ownUserAgent = 'sluice';

/** Longer texts are absurd, and would be kept for as long as the stream. */
export const longestText = 253;

/** `protocol`: of an aggregated stream. Answers undefined when there is no node, or none with a usable id. */
export function identityOf(node: Node | null, protocol: Protocol | undefined): StreamIdentity | undefined {
  if (!node || node.id === '' || node.id.length > longestText) return undefined;
  const own = fromStruct(node.metadata).sluice;
  const said = isRecord(own) ? own : {};
  const text = (value: Json | undefined) => (typeof value === 'string' ? value.slice(0, longestText) : '');
  return {
    id: node.id,
    namespace: text(said.namespace) || 'default',
    service: text(said.service) || node.cluster.slice(0, longestText),
    zone: node.locality?.zone.slice(0, longestText) ?? '',
    userAgent: node.userAgentName.slice(0, longestText),
    kind: kindOf(node.userAgentName, protocol),
    version: node.userAgentVersion.slice(0, longestText),
    hasApp: said.app === true,
    presented: {
      meshId: text(said.meshId),
      revision: typeof said.revision === 'number' && said.revision > 0 ? said.revision : 0,
    },
    metadata: said,
  };
}

/** What keeps a node from having an identity. */
export function nodeFault(node: Node | null): string {
  const length = node?.id.length ?? 0;
  const needed = 'the first message of a stream needs a node with an id';
  return length > longestText ? `${needed} of ${longestText} characters at most; this one has ${length}` : needed;
}

/** gRPC libraries call themselves "gRPC Go", "gRPC C-core linux Python" and so on. An unknown client is taken for an Envoy. */
function kindOf(userAgent: string, protocol: Protocol | undefined): StreamIdentity['kind'] {
  if (userAgent === ownUserAgent && protocol === 'delta') return 'agent';
  return /^grpc/i.test(userAgent) ? 'grpc' : 'envoy';
}

function isRecord(json: Json | undefined): json is { readonly [key: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
