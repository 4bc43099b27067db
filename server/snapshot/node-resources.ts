/**
 * What an Envoy has for itself: its listeners, and its application as a cluster. They depend on few services, so each is made
 * when it is asked for, once for each compilation of its service.
 */
import { serviceKey } from '../../model/names.ts';
import { typeUrls } from '../../proto/type-urls.ts';
import type { CompiledService } from '../compile/compile.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import {
  applicationResource,
  inboundListener,
  outboundListener,
  upstreamListener,
} from '../compile/envoy/listeners.ts';
import { protocolOf, type WireProtocol } from '../compile/service-input.ts';
import type { EnvoyNode, EnvoyUpstream } from './envoy-node.ts';
import type { MeshState } from './mesh-state.ts';

type Services = Pick<MeshState, 'service'>;

export class NodeResources {
  readonly #node: EnvoyNode;
  /** Key of the application's service; '' when it did not say. */
  readonly #service: string;
  readonly #outbound: EncodedResource;
  /** By the key of their service. */
  readonly #upstreams: ReadonlyMap<string, readonly EnvoyUpstream[]>;
  readonly #listeners = new WeakMap<CompiledService, Map<EnvoyUpstream, EncodedResource | undefined>>();
  readonly #inbound = new Map<WireProtocol, EncodedResource>();
  readonly #application = new Map<WireProtocol, EncodedResource>();

  /** `domain`: the suffix of full names. */
  constructor(node: EnvoyNode, domain: string) {
    this.#node = node;
    this.#service = node.service === '' ? '' : serviceKey(node.namespace, node.service);
    this.#outbound = outboundListener(node.outbound, { ...node, domain });
    const upstreams = new Map<string, EnvoyUpstream[]>();
    for (const upstream of node.upstreams) once(upstreams, upstream.service, () => []).push(upstream);
    this.#upstreams = upstreams;
  }

  all(typeUrl: string, services: Services): readonly EncodedResource[] {
    const application = this.#ofApplication(typeUrl, services);
    if (typeUrl !== typeUrls.listener) return application;
    const upstreams = [...this.#upstreams.keys()].flatMap((key) => this.#ofUpstreams(key, services));
    return [this.#outbound, ...application, ...upstreams];
  }

  /** Those that depend on this service. */
  dependingOn(key: string, typeUrl: string, services: Services): readonly EncodedResource[] {
    const application = key === this.#service ? this.#ofApplication(typeUrl, services) : [];
    return typeUrl === typeUrls.listener ? [...application, ...this.#ofUpstreams(key, services)] : application;
  }

  find(typeUrl: string, name: string, services: Services): EncodedResource | undefined {
    if (typeUrl === typeUrls.listener) {
      if (name === this.#outbound.name) return this.#outbound;
      const key = serviceOfListener(name);
      if (key !== '') return this.#findUpstream(key, name, services);
    }
    return this.#ofApplication(typeUrl, services).find((resource) => resource.name === name);
  }

  #findUpstream(key: string, name: string, services: Services): EncodedResource | undefined {
    const address = name.slice(name.lastIndexOf('|') + 1);
    for (const upstream of this.#upstreams.get(key) ?? []) {
      if (`${upstream.at.host}:${upstream.at.port}` !== address) continue;
      const listener = this.#upstreamListener(upstream, services);
      if (listener?.name === name) return listener;
    }
    return undefined;
  }

  #ofUpstreams(key: string, services: Services): EncodedResource[] {
    return (this.#upstreams.get(key) ?? []).flatMap((upstream) => this.#upstreamListener(upstream, services) ?? []);
  }

  #upstreamListener(upstream: EnvoyUpstream, services: Services): EncodedResource | undefined {
    const snapshot = services.service(upstream.service);
    if (snapshot === undefined) return undefined;
    const { compiled, input } = snapshot;
    const made = this.#listeners.get(compiled) ?? new Map<EnvoyUpstream, EncodedResource | undefined>();
    this.#listeners.set(compiled, made);
    if (!made.has(upstream)) made.set(upstream, upstreamListener(input, compiled, upstream, this.#node.streams));
    return made.get(upstream);
  }

  /** Its listener or its cluster. */
  #ofApplication(typeUrl: string, services: Services): readonly EncodedResource[] {
    const { inbound } = this.#node;
    if (inbound === undefined) return [];
    const protocol = this.#protocolOfApplication(services);
    if (typeUrl === typeUrls.listener) {
      return [once(this.#inbound, protocol, () => inboundListener(inbound.at, protocol))];
    }
    if (typeUrl === typeUrls.cluster) {
      return [once(this.#application, protocol, () => applicationResource(inbound.app, protocol))];
    }
    return [];
  }

  #protocolOfApplication(services: Services): WireProtocol {
    const input = services.service(this.#service)?.input;
    const first = input?.ports[0];
    return input && first ? protocolOf(input, first.name) : 'undeclared';
  }
}

/** Of upstream|SERVICE|ADDRESS or upstream|SERVICE:PORT|ADDRESS; '' of all others, which are of the node alone. */
export function serviceOfListener(name: string): string {
  return /^upstream\|([^:|]+)[:|]/.exec(name)?.[1] ?? '';
}

function once<Key, Value>(made: Map<Key, Value>, key: Key, make: () => Value): Value {
  const present = made.get(key);
  if (present !== undefined) return present;
  const value = make();
  made.set(key, value);
  return value;
}
