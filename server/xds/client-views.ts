/** The view that a client's node asks for: one for all clients that ask for the same. */
import { typeUrls } from '../../proto/type-urls.ts';
import { type ClientView, MeshView } from '../snapshot/client-view.ts';
import { EnvoyView } from '../snapshot/envoy-view.ts';
import type { SnapshotCache } from '../snapshot/snapshot-cache.ts';
import { readEnvoyNode } from './envoy-node.ts';
import type { StreamIdentity } from './identity.ts';

/** Clusters before what is sent to them; listeners before the routes that they name. */
const order = [
  typeUrls.cluster,
  typeUrls.endpoint,
  // There are none yet: who asks is told so.
  typeUrls.secret,
  typeUrls.listener,
  typeUrls.routeConfiguration,
];

export interface FoundView {
  readonly view: ClientView;
  /** What of the node cannot be used, in whole sentences. */
  readonly problems: readonly string[];
}

export class ClientViews {
  readonly #cache: SnapshotCache;
  readonly #domain: string;
  readonly #grpc: ClientView;
  /** By what the node says. A view is kept for as long as a stream has it. */
  readonly #envoys = new Map<string, WeakRef<EnvoyView>>();
  readonly #gone = new FinalizationRegistry((key: string) => {
    if (this.#envoys.get(key)?.deref() === undefined) this.#envoys.delete(key);
  });

  /** `domain`: the suffix of full names. */
  constructor(cache: SnapshotCache, domain: string) {
    this.#cache = cache;
    this.#domain = domain;
    this.#grpc = new MeshView(cache, 'grpc', order);
  }

  viewOf(identity: StreamIdentity): FoundView {
    if (identity.kind === 'grpc') return { view: this.#grpc, problems: [] };
    const { node, problems } = readEnvoyNode(identity, this.#domain);
    const key = JSON.stringify(node);
    const view = this.#envoys.get(key)?.deref() ?? this.#create(key, new EnvoyView(this.#cache, node, this.#domain));
    const absent = view
      .missing()
      .map((service) => `it names ${service}, which is not there: it is served that when it comes`);
    return { view, problems: [...problems, ...absent] };
  }

  #create(key: string, view: EnvoyView): EnvoyView {
    this.#envoys.set(key, new WeakRef(view));
    this.#gone.register(view, key);
    return view;
  }
}
