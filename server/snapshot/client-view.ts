/**
 * The mesh as one kind of client in one place is served it: which resources there are for it by name, which of them a
 * wildcard means, and what a change changes of them. Streams of equal clients share one view. It keeps nothing of the mesh:
 * what it answers is the present state of the snapshot cache.
 */
import type { ForeignKind } from '../compile/compiled-variant.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import type { ServiceSnapshot } from './service-snapshot.ts';
import type { SnapshotChange } from './snapshot-cache.ts';
import { variantOf } from './variants.ts';

/** One resource that came, went or changed. */
export interface ResourceChange {
  readonly typeUrl: string;
  readonly name: string;
  readonly before: EncodedResource | undefined;
  readonly after: EncodedResource | undefined;
}

export interface ClientView {
  /** Types that it serves, in the order in which they are to be sent: what is referred to before what refers to it. */
  readonly typeUrls: readonly string[];
  resource(typeUrl: string, name: string): EncodedResource | undefined;
  /** All of the type that `resource` answers: what a wildcard means. */
  resources(typeUrl: string): Iterable<EncodedResource>;
  /** A cluster that is gone, as these clients had it last; undefined when that is not known. */
  formerCluster(name: string): EncodedResource | undefined;
  /** Its endpoints, of the instances that there are now. */
  formerEndpoints(cluster: string): EncodedResource | undefined;
  /** All of those, of clients that may ask for everything, the one that went last first. */
  formerClusters(): Iterable<EncodedResource>;
  /** Scopes that led to one of these routes while it was that of the first port of a service, as these clients had them, the newest first. */
  formerScopes(routes: ReadonlySet<string>): readonly EncodedResource[];
  /** A listener of a port that was the first of its service and is gone, of clients that name listeners; undefined when it is not known. */
  formerListener(name: string): EncodedResource | undefined;
  /** What the change changes for these clients, each resource once. Answers the same list for the same change. */
  changes(change: SnapshotChange): readonly ResourceChange[];
  /** Key of the service whose changes concern a resource of this name, present or not; '' for none. */
  ownerOf(typeUrl: string, name: string): string;
}

/** What differs between two snapshots of a service, as clients of this kind see them. */
export function differences(
  before: ServiceSnapshot | undefined,
  after: ServiceSnapshot | undefined,
  kind: ForeignKind,
): ResourceChange[] {
  const old = before && variantOf(before, kind);
  const present = after && variantOf(after, kind);
  const types = new Set([...(old?.keys() ?? []), ...(present?.keys() ?? [])]);
  return [...types].flatMap((typeUrl) => {
    const [was, is] = [old?.get(typeUrl), present?.get(typeUrl)];
    if (was === is) return [];
    const names = new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])]);
    return [...names].flatMap((name) => {
      const change = { typeUrl, name, before: was?.get(name), after: is?.get(name) };
      return change.before?.version === change.after?.version ? [] : [change];
    });
  });
}
