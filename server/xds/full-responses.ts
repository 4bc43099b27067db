/**
 * What a client gets that has nothing yet: all that its names cover. Clients with the same names get the same, so it is put
 * together once for each state, and its bytes once for all of them (`encode-response.ts`).
 */

import { createHash } from 'node:crypto';
import { typeUrls } from '../../proto/type-urls.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ClientView } from '../snapshot/client-view.ts';
import type { Protocol } from './session.ts';
import type { Subscription } from './subscription.ts';

/** A response of these types, in state of the world, is the whole set: what it leaves out is deleted. */
export const isWholeSet: ReadonlySet<string> = new Set([typeUrls.cluster, typeUrls.listener, typeUrls.scopedRoute]);

/** Fewer names are hardly asked for by two clients alike, and soon put together. */
const worthSharing = 32;

/** gRPC clients refuse messages of more than 4 MiB; with the head of the message this stays below. */
const mostBytes = 3_500_000;

/** Of one state. */
const mostFormers = 16;

export interface FullResponse {
  readonly resources: readonly EncodedResource[];
  /** Names under which there is nothing; delta only. */
  readonly absent: readonly string[];
  readonly version: string;
}

interface Kept {
  readonly sequence: number;
  readonly protocol: Protocol;
  readonly isWildcard: boolean;
  /** Undefined: it is too large for one message. */
  readonly full: FullResponse | undefined;
}

/** By view, then by what is asked for: the names, or, with a wildcard, the type. The newest state only. */
let kept = new WeakMap<ClientView, { readonly named: WeakMap<object, Kept>; readonly all: Map<string, Kept> }>();

/** Nobody begins at the moment: what was put together for many goes. */
export function forgetFullResponses(): void {
  kept = new WeakMap();
}

/** Undefined when it is more than one message can carry. `sequence`: of the state that the view shows. */
export function fullResponses(
  view: ClientView,
  subscription: Subscription<unknown>,
  protocol: Protocol,
  sequence: number,
): FullResponse | undefined {
  if (!subscription.isWildcard && subscription.names.size < worthSharing) return collect(view, subscription, protocol);
  const ofView = kept.get(view) ?? { named: new WeakMap<object, Kept>(), all: new Map<string, Kept>() };
  kept.set(view, ofView);
  const { isWildcard, names, content, typeUrl } = subscription;
  const key = `${protocol} ${typeUrl}`;
  // A wildcard beside names may have to say that some of them are absent.
  const isShared = isWildcard && names.size === 0;
  const present = isShared ? ofView.all.get(key) : ofView.named.get(content);
  if (present?.sequence === sequence && present.protocol === protocol && present.isWildcard === isWildcard) {
    return present.full;
  }
  const full = collect(view, subscription, protocol);
  const made = { sequence, protocol, isWildcard, full };
  if (isShared) ofView.all.set(key, made);
  else ofView.named.set(content, made);
  return full;
}

/** By what is there now, then by what is former: clients that come back from the same place get the same. */
const withFormers = new WeakMap<FullResponse, Map<string, FullResponse>>();

/** With these in place of what is there now under their names, or beside it. */
export function withFormer(full: FullResponse, former: readonly EncodedResource[]): FullResponse {
  if (former.length === 0) return full;
  const key = former.map(({ name, version }) => `${name} ${version}`).join();
  const made = withFormers.get(full) ?? new Map<string, FullResponse>();
  withFormers.set(full, made);
  const present = made.get(key);
  if (present !== undefined) return present;
  const byName = new Map([...full.resources, ...former].map((resource) => [resource.name, resource]));
  const resources = [...byName.values()];
  const response = { resources, absent: full.absent, version: contentVersion(resources) };
  if (made.size < mostFormers) made.set(key, response);
  return response;
}

function collect(view: ClientView, subscription: Subscription<unknown>, protocol: Protocol): FullResponse | undefined {
  const { typeUrl, names } = subscription;
  const resources = [...subscription.covered()];
  const bytes = resources.reduce((sum, { size }) => sum + size, 0);
  if (bytes > mostBytes && !(protocol === 'sotw' && isWholeSet.has(typeUrl))) return undefined;
  const absent = protocol === 'delta' ? [...names].filter((name) => view.resource(typeUrl, name) === undefined) : [];
  return { resources, absent, version: contentVersion(resources) };
}

/** Whether the resource has to go into another message than the bytes before it. */
export function isTooMuch(bytes: number, { size }: EncodedResource): boolean {
  return bytes > 0 && bytes + size > mostBytes;
}

/** Of resources together: the hash of their names and versions, the same on every server. */
export function contentVersion(resources: readonly EncodedResource[]): string {
  const [only] = resources;
  if (only !== undefined && resources.length === 1) return only.version;
  const hash = createHash('sha256');
  const sorted = [...resources].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, version } of sorted) hash.update(`${name} ${version}\n`);
  return hash.digest('hex').slice(0, 16);
}
