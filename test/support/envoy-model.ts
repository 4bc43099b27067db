/**
 * An Envoy as far as order counts: it uses what it takes as it comes, asks for the endpoints of its clusters and for the routes of its
 * scopes, and says at any moment which services a request would not get through to, though it did before.
 */
import { RouteConfiguration } from '../../proto/types.ts';
import { namedClusters } from '../../routing/named-clusters.ts';
import type { EncodedResource } from '../../server/compile/encoded-resource.ts';
import { EnvoyView } from '../../server/snapshot/envoy-view.ts';
import type { Protocol, Response } from '../../server/xds/session.ts';
import { plainEnvoyNode } from './envoy-node.ts';
import { FakeClient, type Type, typeOf } from './fake-client.ts';
import type { ModelMesh } from './model-mesh.ts';

const kept = ['cluster', 'endpoint', 'scopedRoute', 'routeConfiguration'] as const;
type Kept = (typeof kept)[number];

export class EnvoyModel {
  readonly client: FakeClient;
  /** Each with what it lacks, as "a.default: cluster a.default|http|v1": at the response that brought it about. */
  readonly broken: string[] = [];
  readonly #protocol: Protocol;
  readonly #held = new Map<Kept, Map<string, EncodedResource>>(kept.map((type) => [type, new Map()]));
  /** Scopes by which requests got through, for as long as there are such scopes. */
  readonly #working = new Set<string>();

  constructor(mesh: ModelMesh, protocol: Protocol) {
    this.#protocol = protocol;
    this.client = new FakeClient(mesh, protocol, true, new EnvoyView(mesh.cache, plainEnvoyNode, 'mesh.local'));
    this.client.isPrompt = false;
    this.client.onResponse = (response) => this.#onResponse(response);
    this.client.ask('cluster', '*');
    this.settle();
    this.client.ask('listener', '*');
    this.client.ask('scopedRoute', '*');
    this.settle();
  }

  /** Takes in the response that came first, of those that wait, and asks for what it leads to; false: none waits. */
  step(): boolean {
    const [response] = this.client.pending;
    if (response === undefined) return false;
    const type = typeOf(response);
    this.client.ack(type, { nonce: response.nonce });
    if (type === 'cluster') this.#askFor('endpoint', [...this.#of('cluster').keys()]);
    if (type === 'scopedRoute') this.#askFor('routeConfiguration', this.#routesOfScopes());
    return true;
  }

  settle(): void {
    while (this.step());
  }

  /** As a real one does it: in one breath, what it asked for first at first. */
  reconnect(): void {
    const [endpoint, routeConfiguration] = [[...this.#of('cluster').keys()], this.#routesOfScopes()];
    this.client.reconnect({
      ...(endpoint.length > 0 && { endpoint }),
      ...(routeConfiguration.length > 0 && { routeConfiguration }),
    });
  }

  /** What scopes lack that it has, whether requests got through or not. */
  lacking(): string[] {
    return [...this.#of('scopedRoute').values()].flatMap(({ name, routes }) => {
      const lacks = this.#lacks(routes);
      return lacks === undefined ? [] : [`${name}: ${lacks}`];
    });
  }

  get scopes(): string[] {
    return [...this.#of('scopedRoute').keys()];
  }

  #askFor(type: Type, names: readonly string[]): void {
    const before = this.client.namesOf(type);
    if (this.#protocol === 'sotw') {
      if (before.length !== names.length || names.some((name) => !before.includes(name)))
        this.client.ask(type, ...names);
      return;
    }
    const [added, dropped] = [
      names.filter((name) => !before.includes(name)),
      before.filter((name) => !names.includes(name)),
    ];
    if (added.length > 0) this.client.subscribe(type, added);
    if (dropped.length > 0) this.client.unsubscribe(type, ...dropped);
  }

  #onResponse(response: Response): void {
    const type = typeOf(response);
    if (type === 'listener') return;
    const held = this.#of(type as Kept);
    const isWhole = this.#protocol === 'sotw' && (type === 'cluster' || type === 'scopedRoute');
    if (isWhole) held.clear();
    for (const name of response.removed) held.delete(name);
    for (const resource of response.resources) held.set(resource.name, resource);
    this.#drop('endpoint', (name) => this.#of('cluster').has(name));
    const routes = new Set(this.#routesOfScopes());
    this.#drop('routeConfiguration', (name) => routes.has(name));
    this.#check(type);
  }

  #check(type: Type): void {
    for (const name of this.#working) if (!this.#of('scopedRoute').has(name)) this.#working.delete(name);
    for (const [name, { routes }] of this.#of('scopedRoute')) {
      const lacks = this.#lacks(routes);
      if (lacks === undefined) this.#working.add(name);
      else if (this.#working.has(name)) this.broken.push(`${name}: ${lacks}, at ${type}`);
    }
  }

  #lacks(routes: string): string | undefined {
    const configuration = this.#of('routeConfiguration').get(routes);
    if (configuration === undefined) return `routes ${routes}`;
    for (const cluster of namedClusters(RouteConfiguration.decode(configuration.bytes))) {
      if (!this.#of('cluster').has(cluster)) return `cluster ${cluster}`;
      if (!this.#of('endpoint').has(cluster)) return `endpoints of ${cluster}`;
    }
    return undefined;
  }

  #routesOfScopes(): string[] {
    return [...new Set([...this.#of('scopedRoute').values()].map(({ routes }) => routes))];
  }

  #drop(type: Kept, isWanted: (name: string) => boolean): void {
    for (const name of this.#of(type).keys()) if (!isWanted(name)) this.#of(type).delete(name);
  }

  #of(type: Kept): Map<string, EncodedResource> {
    return this.#held.get(type) as Map<string, EncodedResource>;
  }
}
