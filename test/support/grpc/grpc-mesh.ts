/** A mesh of gRPC applications without sidecars: a control plane, echo servers registered over REST, clients that dial `xds:///`. */
import type { Applied, Mesh } from '../start-mesh.ts';
import { startMesh } from '../start-mesh.ts';
import { EchoServer } from './echo-server.ts';
import { type Calls, type GrpcClient, type Library, type Outcome, startGrpcClient } from './grpc-client.ts';

export const target = 'xds:///reviews.default:9080';
export const say = { target, method: '/echo.Echo/Say' } as const;

/** What most tests begin with. */
export const service = `
apiVersion: sluice.dev/v1
kind: Service
metadata: { name: reviews }
spec: { ports: [ { name: grpc, port: 9080, protocol: grpc } ] }
`;

/** A Route for reviews with these rules, as YAML. */
export function routeOf(...rules: string[]): string {
  return `
apiVersion: sluice.dev/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [ ${rules.join(', ')} ] }
`;
}

/** A TrafficPolicy for reviews. */
export function policyOf(fields: string): string {
  return `
apiVersion: sluice.dev/v1
kind: TrafficPolicy
metadata: { name: reviews }
spec: { service: reviews, ${fields} }
`;
}

export class GrpcMesh {
  readonly mesh: Mesh;
  readonly #library: Library;
  readonly #servers = new Map<string, { readonly server: EchoServer; port: number }>();
  readonly #clients: GrpcClient[] = [];

  constructor(mesh: Mesh, library: Library) {
    this.mesh = mesh;
    this.#library = library;
  }

  /** Registers an instance of reviews, such as "v1-1", of the version that its name begins with. */
  async start(instance: string, more: object = {}): Promise<EchoServer> {
    const server = new EchoServer(instance);
    const port = await server.listen();
    this.#servers.set(instance, { server, port });
    await this.register('reviews', instance, more);
    return server;
  }

  /** The process ends at once and comes back on the same port, without a word to the registry. */
  async restart(instance: string): Promise<void> {
    const known = this.#known(instance);
    known.server.close();
    await known.server.listen(known.port);
  }

  kill(instance: string): void {
    this.#known(instance).server.close();
  }

  async deregister(instance: string): Promise<void> {
    await this.#call('DELETE', `/services/reviews/instances/${instance}`);
  }

  async drain(instance: string): Promise<void> {
    await this.#call('PUT', `/services/reviews/instances/${instance}/drain`);
  }

  /** Registers it again, in another way. */
  async change(instance: string, more: object): Promise<void> {
    await this.register('reviews', instance, more);
  }

  /** Throws unless it is accepted. */
  async apply(...documents: string[]): Promise<Applied['body']> {
    const { status, body } = await this.mesh.apply(documents.join('---'));
    if (status !== 200) throw new Error(JSON.stringify(body));
    return body;
  }

  /** `server`: the control plane unless given. */
  startClient(id = 'web-1', namespace = 'default', server = this.mesh.server.grpc): GrpcClient {
    const options = { servers: [server], service: 'web', namespace, id, zone: '' };
    const client = startGrpcClient(this.#library, this.mesh.folder, options);
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    for (const { server } of this.#servers.values()) server.close();
    await this.mesh.close();
  }

  /** Registers an instance that runs for another service too. */
  async register(name: string, instance: string, more: object = {}): Promise<void> {
    const [version] = instance.split('-');
    await this.#call('PUT', `/services/${name}/instances/${instance}`, {
      address: '127.0.0.1',
      port: this.#known(instance).port,
      labels: { version },
      ttl: '5m',
      ...more,
    });
  }

  #known(instance: string) {
    const known = this.#servers.get(instance);
    if (known === undefined) throw new Error(`no instance ${instance}`);
    return known;
  }

  async #call(method: string, path: string, body?: object): Promise<void> {
    const { status } = await this.mesh.call(method, path, body && JSON.stringify(body));
    if (status >= 300) throw new Error(`${method} ${path}: ${status}`);
  }
}

/** With these instances, and the Service document. */
export async function startGrpcMesh(library: Library, ...instances: string[]): Promise<GrpcMesh> {
  const world = new GrpcMesh(await startMesh(), library);
  await world.apply(service);
  for (const instance of instances) await world.start(instance);
  return world;
}

/** Calls again until the outcome is so: a library swaps its routes a moment after it has said so. */
export async function callUntil(
  client: GrpcClient,
  calls: Calls,
  isSo: (outcome: Outcome) => boolean,
): Promise<Outcome> {
  for (;;) {
    const outcome = await client.calls(calls);
    if (isSo(outcome)) return outcome;
  }
}

/** Who answered. */
export function peersOf({ peers }: Outcome): string[] {
  return Object.keys(peers).sort();
}
