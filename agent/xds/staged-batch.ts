/**
 * What came since the last commit mark: decoded, not yet in use. The mark either takes all of it or nothing.
 */
import type { DeltaDiscoveryResponse } from '../../proto/types.ts';
import type { RefusedResource } from '../view/mesh-view.ts';
import { decodeResource } from './decode.ts';
import { copyTables, type ResourceKind, resourceKinds, type Tables, typeUrls } from './resources.ts';

/** More bytes than any mesh that one agent needs; a server that sends them is out of order. */
const largestBatchBytes = 512 * 1024 * 1024;

export class StagedBatch {
  #added = copyTables();
  readonly #removed: { readonly [Kind in ResourceKind]: Set<string> } = {
    endpoints: new Set(),
    clusters: new Set(),
    routeConfigurations: new Set(),
    listeners: new Set(),
    names: new Set(),
  };
  #refused: RefusedResource[] = [];
  #bytes = 0;

  /** What could not be decoded so far. The batch cannot be used when there is any. */
  get refused(): readonly RefusedResource[] {
    return this.#refused;
  }

  /** Whether the batch says anything about this name. */
  answers(name: string): boolean {
    return this.#added.names.has(name) || this.#removed.names.has(name);
  }

  /**
   * Takes in a response of this kind and answers with what of it cannot be used. Names outside `wanted` are passed
   * over: they were on their way when the agent let go of them.
   */
  add(kind: ResourceKind, response: DeltaDiscoveryResponse, wanted: ReadonlySet<string>): readonly RefusedResource[] {
    const before = this.#refused.length;
    const isWanted = (name: string) => kind !== 'names' || wanted.has(name);
    const seen = new Set<string>();
    for (const resource of response.resources) {
      if (!isWanted(resource.name)) continue;
      const reason = seen.has(resource.name) ? 'stands twice in one response' : this.#stage(kind, resource);
      seen.add(resource.name);
      if (reason !== undefined) this.#refuse(kind, resource.name, reason);
    }
    for (const name of response.removedResources) {
      if (!isWanted(name)) continue;
      if (seen.has(name)) this.#refuse(kind, name, 'is sent and removed in one response');
      this.#added[kind].delete(name);
      this.#removed[kind].add(name);
    }
    return this.#refused.slice(before);
  }

  /** These tables with the batch taken in. */
  appliedTo(tables: Tables): Tables {
    const result = copyTables(tables);
    for (const kind of resourceKinds) {
      for (const name of this.#removed[kind]) result[kind].delete(name);
    }
    for (const [name, held] of this.#added.endpoints) result.endpoints.set(name, held);
    for (const [name, held] of this.#added.clusters) result.clusters.set(name, held);
    for (const [name, held] of this.#added.routeConfigurations) result.routeConfigurations.set(name, held);
    for (const [name, held] of this.#added.listeners) result.listeners.set(name, held);
    for (const [name, held] of this.#added.names) result.names.set(name, held);
    return result;
  }

  /** Lets go of a name that nobody wants any more. */
  drop(name: string): void {
    this.#added.names.delete(name);
    this.#removed.names.delete(name);
  }

  #stage(kind: ResourceKind, resource: DeltaDiscoveryResponse['resources'][number]): string | undefined {
    this.#bytes += resource.resource?.value.length ?? 0;
    if (this.#bytes > largestBatchBytes) return `makes the batch larger than ${largestBatchBytes} bytes`;
    const reason = decodeResource(this.#added, kind, resource);
    if (reason === undefined) this.#removed[kind].delete(resource.name);
    return reason;
  }

  #refuse(kind: ResourceKind, name: string, reason: string): void {
    this.#refused.push({ typeUrl: typeUrls[kind], name, reason });
  }
}
