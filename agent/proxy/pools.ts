/** The connections to upstreams, by target: kept as long as the target is, whatever is swapped. */
import type { Load } from '../balance/balancer.ts';
import type { SocketContext } from '../http1/transport.ts';
import { UpstreamPool } from '../http1/upstream-pool.ts';
import { instanceHeader } from '../view/instance-identity.ts';
import type { Destination, Target } from './destination.ts';

/** A target's connections, and the last lines of every head that is sent to it. */
export interface TargetPool {
  readonly pool: UpstreamPool;
  readonly headEnd: Buffer;
}

/** The connections to one target, or to several. */
export interface PoolState {
  readonly connections: number;
  /** Of them those that no request uses. */
  readonly idle: number;
  /** Requests that wait for one. */
  readonly waiting: number;
}

const nothing = Buffer.alloc(0);
const fewPools = 256;

export class Pools {
  readonly #context: SocketContext;
  /** A target that is gone is forgotten with its connections, which end when they have not been used for a while. */
  readonly #byLoad = new WeakMap<Load, TargetPool>();
  /** So that all can be closed at the end. */
  readonly #all = new Set<WeakRef<UpstreamPool>>();
  #lookAt = fewPools;

  constructor(context: SocketContext) {
    this.#context = context;
  }

  of(target: Target, destination: Destination): TargetPool {
    return this.#byLoad.get(target.load) ?? this.#create(target, destination);
  }

  /** Of a target by its load; undefined when it was never asked. Tunnels have connections of their own. */
  stateOf(load: Load): PoolState | undefined {
    return this.#byLoad.get(load)?.pool;
  }

  /** One whose connections nobody else uses: what is tunnelled is no HTTP, so it cannot be tried again. */
  separate(target: Target, destination: Destination): TargetPool {
    return { pool: this.#open(target, destination), headEnd: nothing };
  }

  /** Ends all connections. */
  close(): void {
    for (const pool of this.#all) pool.deref()?.close();
  }

  #create(target: Target, destination: Destination): TargetPool {
    const headEnd = target.identity === '' ? '\r\n' : `${instanceHeader}: ${target.identity}\r\n\r\n`;
    const created = { pool: this.#open(target, destination), headEnd: Buffer.from(headEnd, 'latin1') };
    this.#byLoad.set(target.load, created);
    return created;
  }

  #open(target: Target, destination: Destination): UpstreamPool {
    const address = { host: target.address, port: target.port };
    const pool = new UpstreamPool({ address, context: this.#context }, destination);
    if (this.#all.size >= this.#lookAt) this.#forgetGone();
    this.#all.add(new WeakRef(pool));
    return pool;
  }

  /** Looking at all of them again pays only when as many have come as were left. */
  #forgetGone(): void {
    for (const known of this.#all) if (known.deref() === undefined) this.#all.delete(known);
    this.#lookAt = Math.max(fewPools, 2 * this.#all.size);
  }
}
