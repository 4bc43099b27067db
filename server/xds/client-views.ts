/** The view that a client's node asks for: one for all clients that ask for the same. */
import { typeUrls } from '../../proto/type-urls.ts';
import { type ClientView, MeshView } from '../snapshot/client-view.ts';
import type { SnapshotCache } from '../snapshot/snapshot-cache.ts';
import type { StreamIdentity } from './identity.ts';

/** Clusters before what is sent to them; listeners before the routes that they name. */
const order = [
  typeUrls.cluster,
  typeUrls.endpoint,
  // There are none yet: who asks is told so.
  typeUrls.secret,
  typeUrls.listener,
  typeUrls.scopedRoute,
  typeUrls.routeConfiguration,
];

export class ClientViews {
  readonly #envoy: ClientView;
  readonly #grpc: ClientView;

  constructor(cache: SnapshotCache) {
    this.#envoy = new MeshView(cache, 'envoy', order);
    this.#grpc = new MeshView(cache, 'grpc', order);
  }

  viewOf({ kind }: StreamIdentity): ClientView {
    return kind === 'grpc' ? this.#grpc : this.#envoy;
  }
}
