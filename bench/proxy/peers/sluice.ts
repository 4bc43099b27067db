/**
 * Our agent as users run it: `sluice server` and `sluice agent`, real processes without further flags, instances and rules
 * by REST. The port that is measured is one of `--upstream`, which takes requests for one service as the others do.
 */
import { join } from 'node:path';
import { sluiceVersion } from '../../../process/version.ts';
import { findFreePorts, type Processes, programs, waitUntilOk } from '../../../test/support/processes.ts';
import type { TestProcess } from '../../../test/support/test-process.ts';
import { startPinned } from '../pinned.ts';
import { waitUntilAnswering } from '../ready.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { type Peer, type RunningProxy, routeHeader, routeValue, type Setup } from './peer.ts';

export interface SluiceOptions {
  /** Of its agents, such as to profile them. Nothing more than this process has when not given. */
  readonly environment?: Readonly<Record<string, string>>;
  /** As in the flag. 1 when not given. */
  readonly workers?: number;
}

export function createSluice({ environment = {}, workers = 1 }: SluiceOptions = {}): Peer {
  const options = { environment, workers };
  return {
    name: workers === 1 ? 'Sluice' : `Sluice-${workers}-workers`,
    version: () => sluiceVersion,
    start: (setup) => new Mesh(setup, options).start({ hops: 1 }),
    startTwoHops: (setup) => new Mesh(setup, options).start({ hops: 2 }),
  };
}

export const sluice = createSluice();
/** All of its processes have the one core, so this is what workers cost, not what they gain. */
export const sluiceWithWorkers = createSluice({ workers: 2 });

const servicePort = 9080;
const versionOf = (index: number) => `v${index + 1}`;
const idOf = (index: number) => `reviews-${index + 1}`;
const loopback = (port: number) => `127.0.0.1:${port}`;

/** One agent of a caller, and a service of which each backend is an instance. */
class Mesh {
  readonly #setup: Setup;
  readonly #processes: Processes;
  readonly #options: Required<SluiceOptions>;
  readonly #agents: TestProcess[] = [];

  constructor(setup: Setup, options: Required<SluiceOptions>) {
    this.#setup = setup;
    this.#processes = setup.processes;
    this.#options = options;
  }

  /** With two hops each instance has an agent of its own, and its backend is the application of that. */
  async start({ hops }: { hops: 1 | 2 }): Promise<RunningProxy> {
    const plane = await startControlPlane(this.#processes);
    await plane.apply([document('Service', { ports: [{ name: 'http', port: servicePort }] })]);
    for (const [index, { port }] of this.#setup.split.entries()) {
      if (hops === 2) await this.#startInstance(plane, index, port);
      else await plane.register('reviews', idOf(index), instanceOf(index, port));
    }
    await plane.apply([document('Route', routeOf(this.#setup))]);
    const [port = 0] = await findFreePorts(1);
    const upstream = ['--upstream', `reviews:${servicePort}=${loopback(port)}`];
    const caller = await this.#startAgent(plane, ['--service', 'web', ...upstream]);
    await waitUntilAnswering(caller, port);
    const close = async () => {
      await Promise.all([...this.#agents, plane.process].map((each) => each.kill()));
    };
    return { port, measured: this.#agents, close };
  }

  async #startInstance(plane: ControlPlane, index: number, port: number): Promise<void> {
    const [inbound = 0] = await findFreePorts(1);
    const instance = ['--service', 'reviews', '--id', idOf(index), '--version', versionOf(index)];
    await this.#startAgent(plane, [...instance, '--app', loopback(port), '--inbound', loopback(inbound)]);
    await plane.untilPassing('reviews', idOf(index));
  }

  async #startAgent({ grpc }: ControlPlane, args: readonly string[]): Promise<TestProcess> {
    const [outbound = 0, admin = 0] = await findFreePorts(2);
    const ports = ['--outbound', loopback(outbound), '--admin', loopback(admin)];
    const state = ['--state-dir', join(this.#processes.folder, `agent-${admin}`)];
    const { environment, workers } = this.#options;
    const more = workers === 1 ? [] : ['--workers', String(workers)];
    const command = [
      process.execPath,
      programs.sluice,
      'agent',
      '--server',
      grpc,
      ...ports,
      ...state,
      ...more,
      ...args,
    ];
    const started = startPinned(this.#processes, command, { name: 'sluice agent', environment });
    this.#agents.push(started);
    await waitUntilOk(started, `http://${loopback(admin)}/ready`);
    return started;
  }
}

function document(kind: 'Service' | 'Route', spec: object) {
  return { apiVersion: 'sluice.dev/v1', kind, metadata: { name: 'reviews' }, spec };
}

function instanceOf(index: number, port: number) {
  return { address: '127.0.0.1', port, labels: { version: versionOf(index) }, ttl: '1h' };
}

function routeOf({ split, routes }: Setup) {
  const backends = split.map(({ weight }, index) => ({ subset: versionOf(index), weight }));
  const byHeader = Array.from({ length: routes }, (_, index) => ({
    name: routeValue(index),
    match: [{ headers: { [routeHeader]: { exact: routeValue(index) } } }],
    backends,
  }));
  return { service: 'reviews', rules: [...byHeader, { name: 'split', backends }] };
}
