/** Hosts outside the mesh, each with its connections. So many are remembered; then all are forgotten. */
import { formatHostPort } from '../../process/host-port.ts';
import { type Destination, soleDestination } from './destination.ts';

/** About these hosts no cluster says anything: Envoy's default. */
const connectTimeoutMs = 5_000;

const mostOutside = 256;

export class OutsideDestinations {
  readonly #known = new Map<string, Destination>();

  at(host: string, port: number): Destination {
    const name = formatHostPort({ host, port });
    let destination = this.#known.get(name);
    if (destination === undefined) {
      if (this.#known.size >= mostOutside) this.#known.clear();
      destination = soleDestination({ name, address: host, port, connectTimeoutMs });
      this.#known.set(name, destination);
    }
    return destination;
  }
}
