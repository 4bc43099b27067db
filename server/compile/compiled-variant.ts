/**
 * What a service is to clients that are not ours: other resources than own agents have, made of the same rules, and what of
 * the rules such a client cannot do.
 */
import type { Resource } from '../../model/resource.ts';
import type { EncodedResource } from './encoded-resource.ts';

/** Clients that are not our agents, by what they understand. An unknown one is taken for an Envoy. */
export type ForeignKind = 'envoy' | 'grpc';

export type ClientKind = 'agent' | ForeignKind;

/** Something that a document asks for and a kind of client cannot do: never left out without being said. */
export interface ClientProblem {
  readonly kind: ClientKind;
  /** `kind namespace/name` of the document: "Route default/reviews-canary". */
  readonly document: string;
  /** Where in the document: `spec.rules[0].sticky`. */
  readonly path: string;
  /** A whole sentence that names service and clients, and what they do instead. */
  readonly sentence: string;
  /** It is about more than its document: whoever changes any of the service is told. */
  readonly isOfService?: true;
}

/** What a `ClientProblem` calls a document. */
export function documentName({ kind, metadata }: Resource): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

/** All of a service but its endpoints. */
export interface CompiledVariant {
  /** In any order; each knows its type. */
  readonly resources: readonly EncodedResource[];
  readonly problems: readonly ClientProblem[];
}
