/** The view that a client's node asks for: one for all clients that ask for the same. */
import type { ClientView } from '../snapshot/client-view.ts';
import { EnvoyView } from '../snapshot/envoy-view.ts';
import { GrpcView } from '../snapshot/grpc-view.ts';
import type { SnapshotCache } from '../snapshot/snapshot-cache.ts';
import { readEnvoyNode } from './envoy-node.ts';
import type { StreamIdentity } from './identity.ts';
import type { Protocol } from './session.ts';

export interface FoundView {
  readonly view: ClientView;
  /** What of the node cannot be used, in few whole sentences: each is logged. */
  readonly problems: readonly string[];
}

const mostNamespaces = 1_000;

/** Of one node. */
const mostProblems = 10;
const mostNames = 5;

export class ClientViews {
  readonly #cache: SnapshotCache;
  readonly #domain: string;
  /** By namespace. */
  readonly #grpc = new Map<string, ClientView>();
  /** By what the node says. A view is kept for as long as a stream has it. */
  readonly #envoys = new Map<string, WeakRef<EnvoyView>>();
  readonly #gone = new FinalizationRegistry((key: string) => {
    if (this.#envoys.get(key)?.deref() === undefined) this.#envoys.delete(key);
  });

  /** `domain`: the suffix of full names. */
  constructor(cache: SnapshotCache, domain: string) {
    this.#cache = cache;
    this.#domain = domain;
  }

  /** `ownStream`: the form of the stream, when it is of one type alone. */
  viewOf(identity: StreamIdentity, ownStream?: Protocol): FoundView {
    if (identity.kind === 'grpc') return { view: this.#grpcViewOf(identity.namespace), problems: [] };
    const { node, problems } = readEnvoyNode(identity, this.#domain, ownStream);
    const key = JSON.stringify(node);
    const view = this.#envoys.get(key)?.deref() ?? this.#create(key, new EnvoyView(this.#cache, node, this.#domain));
    return { view, problems: [...fewOf(problems), ...sayMissing(view.missing())] };
  }

  #create(key: string, view: EnvoyView): EnvoyView {
    this.#envoys.set(key, new WeakRef(view));
    this.#gone.register(view, key);
    return view;
  }

  #grpcViewOf(namespace: string): ClientView {
    const present = this.#grpc.get(namespace);
    if (present !== undefined) return present;
    // Namespaces are what clients say. A view that is forgotten goes on serving those who have it.
    if (this.#grpc.size >= mostNamespaces) this.#grpc.clear();
    const view = new GrpcView(this.#cache, namespace);
    this.#grpc.set(namespace, view);
    return view;
  }
}

function fewOf(problems: readonly string[]): string[] {
  const more = problems.length - mostProblems;
  return more <= 0 ? [...problems] : [...problems.slice(0, mostProblems), `and ${more} more that cannot be used`];
}

function sayMissing(services: readonly string[]): string[] {
  const [first] = services;
  if (first === undefined) return [];
  if (services.length === 1) return [`it names ${first}, which is not there: it is served that when it comes`];
  const named = services.slice(0, mostNames).join(', ');
  const list = services.length > mostNames ? `${named}, …` : named;
  return [`it names ${services.length} services that are not there (${list}): it is served each when it comes`];
}
