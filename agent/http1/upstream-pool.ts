/**
 * The connections to one instance. The one that was used last is used next, so those that are not needed grow old and end.
 * A request that finds none free waits for whichever comes first: a new one, or one that becomes free.
 */
import type { SocketContext, UpstreamAddress } from './transport.ts';
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts';

/** Waits for a connection; told once. */
export interface ConnectionWaiter {
  /** Whether it takes it: if not, somebody else gets it. */
  onConnection(connection: UpstreamConnection): boolean;
  /** None can be established. Nothing was sent. */
  onUnreachable(detail: string): void;
}

/** How many connections and waiting requests there may be; shared by the pools of one cluster. */
export interface ConnectionBudget {
  /** Whether one more may be opened; it counts then until it is released. */
  tryAcquireConnection(): boolean;
  /** One more, whatever the limit says. */
  acquireConnection(): void;
  releaseConnection(): void;
  /** Whether one more request may wait; it counts then until it is released. */
  tryAcquirePending(): boolean;
  releasePending(): void;
}

export interface PoolOptions {
  readonly address: UpstreamAddress;
  readonly context: SocketContext;
}

/** What may change while the pool lives: the latest is in force. */
export interface PoolLimits {
  /** Counts go on from one to the next. */
  readonly breaker: ConnectionBudget;
  readonly connectTimeoutMs: number;
  /** How long an unused connection is kept. */
  readonly idleTimeoutMs: number;
}

export class UpstreamPool implements ConnectionOwner {
  readonly #options: PoolOptions;
  /** The last is the one that was used last. */
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<UpstreamConnection>();
  readonly #waiters: ConnectionWaiter[] = [];
  #connecting = 0;
  #limits: PoolLimits;
  #isClosed = false;

  constructor(options: PoolOptions, limits: PoolLimits) {
    this.#options = options;
    this.#limits = limits;
  }

  get connections(): number {
    return this.#all.size;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** A free connection; `waiting`: the waiter will be told; `overflow`: too many wait already. */
  acquire(waiter: ConnectionWaiter, limits: PoolLimits): UpstreamConnection | 'waiting' | 'overflow' {
    this.#limits = limits;
    for (let free = this.#idle.pop(); free !== undefined; free = this.#idle.pop()) {
      // One that has just been closed is told of only when the event loop comes round.
      if (free.transport.isWritable) return free;
    }
    if (!limits.breaker.tryAcquirePending()) return 'overflow';
    this.#waiters.push(waiter);
    this.#openForWaiters();
    return 'waiting';
  }

  /** The waiter has lost interest. */
  cancel(waiter: ConnectionWaiter): void {
    const place = this.#waiters.indexOf(waiter);
    if (place === -1) return;
    this.#waiters.splice(place, 1);
    this.#limits.breaker.releasePending();
  }

  /** A kept connection turned out to be closed: so, probably, are the others. */
  dropIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.abort();
  }

  /** Ends all connections, those in use too. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#all) connection.transport.destroy();
  }

  onConnected(connection: UpstreamConnection): void {
    this.#connecting--;
    this.onFree(connection);
  }

  onFree(connection: UpstreamConnection): void {
    if (this.#isClosed) return connection.abort();
    for (let waiter = this.#nextWaiter(); waiter !== undefined; waiter = this.#nextWaiter()) {
      if (waiter.onConnection(connection)) return;
    }
    this.#idle.push(connection);
    connection.expire(this.#limits.idleTimeoutMs);
  }

  onClosed(connection: UpstreamConnection, wasConnected: boolean, detail: string): void {
    this.#all.delete(connection);
    this.#limits.breaker.releaseConnection();
    const place = this.#idle.lastIndexOf(connection);
    if (place !== -1) this.#idle.splice(place, 1);
    if (wasConnected) return this.#openForWaiters();
    this.#connecting--;
    // One attempt, one request: the others wait for other attempts, or for connections that become free. Without any of
    // these there is no reason to wait any longer.
    const mayWait = this.#all.size === 0 ? 0 : Math.max(this.#connecting, this.#waiters.length - 1);
    // Counted before: who is told may send another request at once, for which an attempt of its own begins.
    for (let tooMany = this.#waiters.length - mayWait; tooMany > 0; tooMany--) {
      this.#nextWaiter()?.onUnreachable(detail);
    }
    this.#openForWaiters();
  }

  #nextWaiter(): ConnectionWaiter | undefined {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) this.#limits.breaker.releasePending();
    return waiter;
  }

  /** One connection for each that waits, as far as the budget goes, but at least one: else nobody could ever be served. */
  #openForWaiters(): void {
    const { address, context } = this.#options;
    const { breaker, connectTimeoutMs } = this.#limits;
    while (!this.#isClosed && this.#connecting < this.#waiters.length) {
      if (!breaker.tryAcquireConnection()) {
        if (this.#all.size > 0) return;
        breaker.acquireConnection();
      }
      this.#connecting++;
      this.#all.add(new UpstreamConnection(address, this, context, connectTimeoutMs));
    }
  }
}
