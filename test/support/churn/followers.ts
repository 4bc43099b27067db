/** Clients that hold what they were told last, and whether that is what is in force. */
import { typeUrls } from '../../../proto/type-urls.ts';
import { heldAs, XdsClient } from '../xds-client.ts';

/** `delta`: of everything, as an Envoy. `agent`: as an own agent, of some services. */
export type FollowerKind = 'delta' | 'agent';

/** A mark has a number of its own on each stream. */
const isMark = (key: string) => key.startsWith(typeUrls.mark);

export class Follower {
  readonly kind: FollowerKind;
  readonly #client: XdsClient;
  readonly #services: readonly string[];

  /** `services`: full names of all there are. */
  constructor(
    address: string,
    { id, kind, services }: { id: string; kind: FollowerKind; services: readonly string[] },
  ) {
    this.kind = kind;
    // As many as the agent of a usual application calls.
    this.#services = kind === 'agent' ? services.slice(0, 20) : services;
    this.#client = new XdsClient(address);
    const types = [typeUrls.cluster, typeUrls.endpoint, typeUrls.routeConfiguration];
    const routes = this.#services.map((service) => `${service}:80`);
    if (kind === 'delta') this.#client.follow(id, types, routes);
    else this.#client.followAsAgent(id, this.#services);
  }

  /** Resolves when it has everything that it asked for. */
  complete(): Promise<void> {
    return new Promise((resolve) => {
      this.#client.onResponse = () => {
        if (this.#isComplete()) resolve();
      };
      if (this.#isComplete()) resolve();
    });
  }

  /** How many of what either has the other one has not, or in another version. */
  differencesFrom(other: Follower): number {
    const [own, others] = [this.#client.held, other.#client.held];
    const keys = new Set([...own.keys(), ...others.keys()].filter((key) => !isMark(key)));
    return [...keys].filter((key) => own.get(key) !== others.get(key)).length;
  }

  close(): void {
    this.#client.close();
  }

  #isComplete(): boolean {
    const { held } = this.#client;
    if (this.kind === 'agent') return [...held.keys()].some(isMark);
    const clusters = [...held.keys()].filter((key) => key.startsWith(typeUrls.cluster));
    const endpoints = clusters.map((key) => heldAs(typeUrls.endpoint, key.slice(typeUrls.cluster.length + 1)));
    const routes = this.#services.map((service) => heldAs(typeUrls.routeConfiguration, `${service}:80`));
    return [...endpoints, ...routes].every((key) => held.has(key));
  }
}
