import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { SocketContext } from '../../../../agent/http1/transport.ts';
import type { ResponseHandler, UpstreamConnection } from '../../../../agent/http1/upstream-connection.ts';
import { type ConnectionWaiter, type PoolLimits, UpstreamPool } from '../../../../agent/http1/upstream-pool.ts';
import {
  type BreakerLimits,
  CircuitBreaker,
  defaultBreakerLimits,
} from '../../../../agent/resilience/circuit-breaker.ts';
import { ManualClock, World } from '../proxy/world.ts';
import { createSocketContext } from './socket-context.ts';

/** Asks a pool for a connection, and is told; has one request for it. */
class Taker implements ConnectionWaiter, ResponseHandler {
  /** '' while it waits. */
  failure = '';
  connection: UpstreamConnection | undefined;
  /** Resolves when it is told anything. */
  readonly told: Promise<void>;
  /** Resolves when its request was answered. */
  readonly answered: Promise<void>;
  #tell = () => {};
  onResponseEnd = () => {};

  constructor() {
    this.told = new Promise((resolve) => {
      this.#tell = resolve;
    });
    this.answered = new Promise((resolve) => {
      this.onResponseEnd = resolve;
    });
  }

  get isWaiting(): boolean {
    return this.failure === '' && this.connection === undefined;
  }

  onConnection(connection: UpstreamConnection): boolean {
    this.connection = connection;
    connection.begin(this, 'other', false);
    this.#tell();
    return true;
  }

  /** The upstream answers to any byte. */
  async ask(): Promise<void> {
    this.connection?.transport.write(Buffer.from('?'), 0, 1);
    this.connection?.requestIsComplete();
    await this.answered;
  }

  onUnreachable(detail: string): void {
    this.failure = detail;
    this.#tell();
  }

  onReleased(): void {}
  onResponse(): void {}
  onResponseBody(): void {}
  onLost(): void {}
  onUpstreamDrain(): void {}
  onTunnelBack(): void {}
  onTunnelBackEnd(): void {}
}

const timeouts = { connectTimeoutMs: 1_000, idleTimeoutMs: 4_000 };

describe('the pool of connections to an instance', () => {
  let world: World;
  let clock: ManualClock;
  let context: SocketContext;
  /** As the upstream sees them. */
  let sockets: Socket[];

  beforeEach(() => {
    world = new World();
    clock = new ManualClock();
    context = createSocketContext(clock);
    sockets = [];
  });
  afterEach(() => world.close());

  const listening = () =>
    world.tcp((socket) => {
      sockets.push(socket.on('data', () => socket.write('HTTP/1.1 204 No Content\r\n\r\n')));
    });

  function breakerOf(limits: Partial<BreakerLimits> = {}, previous?: CircuitBreaker): CircuitBreaker {
    return new CircuitBreaker({ ...defaultBreakerLimits, ...limits }, previous);
  }

  function poolTo(port: number, limits: PoolLimits): UpstreamPool {
    return new UpstreamPool({ address: { host: '127.0.0.1', port }, context }, limits);
  }

  async function createPool(breaker = breakerOf()) {
    const limits = { breaker, ...timeouts };
    const pool = poolTo(await listening(), limits);
    return { pool, limits, breaker };
  }

  /** What a pool of its own says to one more who asks it. */
  function take(pool: UpstreamPool, limits: PoolLimits): Taker {
    const taker = new Taker();
    const result = pool.acquire(taker, limits);
    if (result === 'overflow') taker.onUnreachable('overflow');
    else if (result !== 'waiting') taker.onConnection(result);
    return taker;
  }

  /** So many that have a connection each. */
  async function served(pool: UpstreamPool, limits: PoolLimits, count: number): Promise<Taker[]> {
    const takers = Array.from({ length: count }, () => take(pool, limits));
    await Promise.all(takers.map(({ told }) => told));
    return takers;
  }

  /** One that has a connection. */
  async function serve(pool: UpstreamPool, limits: PoolLimits): Promise<Taker> {
    const taker = take(pool, limits);
    await taker.told;
    return taker;
  }

  function socketOf(place: number): Socket {
    return sockets[place] ?? expect.fail();
  }

  it('hands out the connection that was used last', async () => {
    const { pool, limits } = await createPool();
    const [a, b, c] = await served(pool, limits, 3);
    for (const taker of [b, c, a]) await taker?.ask();
    const again = [take(pool, limits), take(pool, limits), take(pool, limits)];
    expect(again.map(({ connection }) => connection)).to.deep.equal([a, c, b].map((taker) => taker?.connection));
    expect(pool.connections).to.equal(3);
  });

  it('lets go of a connection that nobody has used for the idle timeout, and of no other', async () => {
    const { pool, limits } = await createPool();
    const early = await serve(pool, limits);
    const late = await serve(pool, limits);
    const ended = once(socketOf(0), 'close');
    await early.ask();
    clock.pass(2_000);
    await late.ask();
    clock.pass(2_000);
    await ended;
    const taker = take(pool, limits);
    expect(taker.connection).to.equal(late.connection);
    clock.pass(60_000);
    await taker.ask();
    expect({ idle: pool.idle, connections: pool.connections }).to.deep.equal({ idle: 1, connections: 1 });
  });

  it('keeps idle connections for as long as the newest limits say', async () => {
    const { pool, limits } = await createPool();
    await (await serve(pool, limits)).ask();
    const ended = once(socketOf(0), 'close');
    const taker = take(pool, { ...limits, idleTimeoutMs: 60_000 });
    await taker.ask();
    clock.pass(59_999);
    const again = take(pool, { ...limits, idleTimeoutMs: 1_000 });
    await again.ask();
    expect(again.connection).to.equal(taker.connection);
    clock.pass(1_000);
    await ended;
  });

  for (const { what, end } of [
    { what: 'the upstream closes', end: (socket: Socket) => void socket.end() },
    { what: 'the upstream resets', end: (socket: Socket) => void socket.resetAndDestroy() },
    {
      what: 'brings something that nobody asked for',
      end: (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\n'),
    },
  ]) {
    it(`forgets an idle connection that ${what}`, async () => {
      const { pool, limits, breaker } = await createPool();
      await (await serve(pool, limits)).ask();
      end(socketOf(0));
      while (pool.connections > 0) await new Promise(setImmediate);
      expect({ idle: pool.idle, connections: breaker.counts.connections }).to.deep.equal({ idle: 0, connections: 0 });
      expect(take(pool, limits).isWaiting).to.equal(true);
    });
  }

  it('keeps no connection over which a request is still going when its answer is complete', async () => {
    const port = await world.tcp((socket) => {
      socket.once('data', () => socket.pause().write('HTTP/1.1 204 No Content\r\n\r\n'));
    });
    const limits = { breaker: breakerOf(), ...timeouts };
    const pool = poolTo(port, limits);
    const taker = await serve(pool, limits);
    const long = Buffer.alloc(32 * 1024 * 1024);
    expect(taker.connection?.transport.write(long, 0, long.length)).to.equal(false);
    taker.connection?.requestIsComplete();
    await taker.answered;
    expect(pool.idle).to.equal(0);
    while (pool.connections > 0) await new Promise(setImmediate);
  });

  it('drops idle connections when asked, and none in use', async () => {
    const { pool, limits, breaker } = await createPool();
    const [one] = await served(pool, limits, 2);
    await one?.ask();
    pool.dropIdle();
    while (pool.connections > 1) await new Promise(setImmediate);
    expect({ idle: pool.idle, counts: breaker.counts.connections }).to.deep.equal({ idle: 0, counts: 1 });
  });

  describe('with a request that finds none free', () => {
    it('gives it a connection that becomes free before the new one is there, which is then kept', async () => {
      const { pool, limits } = await createPool();
      const { connection = expect.fail() } = await serve(pool, limits);
      const taker = take(pool, limits);
      expect(pool.connections).to.equal(2);
      pool.onFree(connection);
      expect(taker.connection).to.equal(connection);
      while (pool.idle < 1) await new Promise(setImmediate);
      expect(pool.connections).to.equal(2);
    });

    it('gives it the new one when none becomes free', async () => {
      const { pool, limits } = await createPool();
      const [one, other] = [await serve(pool, limits), await serve(pool, limits)];
      expect(other.connection).to.be.an('object').and.not.equal(one.connection);
    });

    it('lets the first who waits go first', async () => {
      const { pool, limits } = await createPool(breakerOf({ maxConnections: 1 }));
      const busy = await serve(pool, limits);
      const [first, second] = [take(pool, limits), take(pool, limits)];
      await busy.ask();
      expect([first.isWaiting, second.isWaiting]).to.deep.equal([false, true]);
      await first.ask();
      expect(second.connection).to.equal(busy.connection);
    });

    it('opens no more than the limit of the cluster allows', async () => {
      const { pool, limits, breaker } = await createPool(breakerOf({ maxConnections: 2 }));
      const takers = Array.from({ length: 5 }, () => take(pool, limits));
      await Promise.all(takers.slice(0, 2).map(({ told }) => told));
      expect(pool.connections).to.equal(2);
      expect(takers.map(({ isWaiting }) => isWaiting)).to.deep.equal([false, false, true, true, true]);
      expect(breaker.counts).to.deep.include({ connections: 2, pending: 3 });
      expect(breaker.counts.connectionOverflow).to.be.greaterThan(0);
    });

    it('opens another in place of one that ends in use, when the limit held it back', async () => {
      const { pool, limits } = await createPool(breakerOf({ maxConnections: 1 }));
      const busy = await serve(pool, limits);
      const waiting = take(pool, limits);
      socketOf(0).destroy();
      await waiting.told;
      expect(waiting.connection).to.be.an('object').and.not.equal(busy.connection);
    });

    it('refuses it when as many wait as the limit of the cluster allows', async () => {
      const { pool, limits, breaker } = await createPool(breakerOf({ maxConnections: 1, maxPendingRequests: 2 }));
      await served(pool, limits, 1);
      const takers = Array.from({ length: 3 }, () => take(pool, limits));
      expect(takers.map(({ failure }) => failure)).to.deep.equal(['', '', 'overflow']);
      expect(breaker.counts).to.deep.include({ pending: 2, pendingOverflow: 1 });
    });

    it('gives it one connection, whatever other instances of the cluster use up', async () => {
      const { pool, limits, breaker } = await createPool(breakerOf({ maxConnections: 1 }));
      await served(pool, limits, 1);
      const other = poolTo(await listening(), limits);
      await served(other, limits, 1);
      expect(breaker.counts.connections).to.equal(2);
      expect(take(other, limits).isWaiting).to.equal(true);
      expect(other.connections).to.equal(1);
    });

    it('offers the connection to all that wait until one takes it, a crowd of them too', async () => {
      const breaker = breakerOf({ maxConnections: 1, maxPendingRequests: 20_000 });
      const { pool, limits } = await createPool(breaker);
      const busy = await serve(pool, limits);
      let offers = 0;
      class Refuser extends Taker {
        override onConnection(): boolean {
          offers++;
          return false;
        }
      }
      for (let n = 0; n < 20_000; n++) pool.acquire(new Refuser(), limits);
      await busy.ask();
      expect({ offers, idle: pool.idle, pending: breaker.counts.pending }).to.deep.equal({
        offers: 20_000,
        idle: 1,
        pending: 0,
      });
    });

    it('does not tell it anything once it has lost interest, and keeps the connection for others', async () => {
      const { pool, limits, breaker } = await createPool();
      const taker = take(pool, limits);
      pool.cancel(taker);
      expect(breaker.counts.pending).to.equal(0);
      while (pool.idle < 1) await new Promise(setImmediate);
      expect(taker.isWaiting).to.equal(true);
      expect(take(pool, limits).connection).to.be.an('object');
    });
  });

  describe('when no connection comes about', () => {
    it('says why', async () => {
      const limits = { breaker: breakerOf(), ...timeouts };
      const taker = take(poolTo(await world.deadPort(), limits), limits);
      await taker.told;
      expect(taker.failure).to.match(/^connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
      expect(limits.breaker.counts).to.deep.include({ connections: 0, pending: 0 });
    });

    it('waits for the connect timeout and no longer', async () => {
      const { pool, limits, breaker } = await createPool();
      const taker = take(pool, limits);
      // Before the machine has had a chance to connect.
      clock.pass(1_000);
      await taker.told;
      expect(taker.failure).to.equal('it did not accept the connection in time');
      expect(breaker.counts).to.deep.include({ connections: 0, pending: 0 });
    });

    it('fails as many of those who wait as there are attempts too few', async () => {
      const { pool, limits } = await createPool();
      const early = [take(pool, limits), take(pool, limits)];
      clock.pass(500);
      const late = take(pool, limits);
      clock.pass(500);
      await Promise.all([...early, late].map(({ told }) => told));
      // The two that are told of the failed attempts are the first to ask, the one attempt under way is for the third.
      expect(early.map(({ failure }) => failure !== '')).to.deep.equal([true, true]);
      expect(late.connection).to.be.an('object');
    });

    it('fails one when several share the attempts that are left', async () => {
      const { pool, limits } = await createPool(breakerOf({ maxConnections: 2 }));
      const first = take(pool, limits);
      clock.pass(500);
      const others = [take(pool, limits), take(pool, limits)];
      clock.pass(500);
      await first.told;
      expect(first.failure).to.equal('it did not accept the connection in time');
      await others[0]?.told;
      expect(others[0]?.connection).to.be.an('object');
      expect(others[1]?.isWaiting).to.equal(true);
    });

    it('fails one alone as long as a connection is in use, and makes another attempt for the others', async () => {
      const { pool, limits } = await createPool(breakerOf({ maxConnections: 2 }));
      await serve(pool, limits);
      const [first, second] = [take(pool, limits), take(pool, limits)];
      clock.pass(1_000);
      await Promise.all([first.told, second.told]);
      expect(first.failure).to.equal('it did not accept the connection in time');
      expect(second.connection).to.be.an('object');
    });

    it('does not blame the failure on whoever asks while others are told of it', async () => {
      const limits = { breaker: breakerOf(), ...timeouts };
      const pool = poolTo(await listening(), limits);
      const late = new Taker();
      const first = new (class extends Taker {
        override onUnreachable(detail: string): void {
          super.onUnreachable(detail);
          pool.acquire(late, limits);
        }
      })();
      pool.acquire(first, limits);
      clock.pass(1_000);
      await Promise.all([first.told, late.told]);
      expect({ first: first.failure !== '', late: late.failure }).to.deep.equal({ first: true, late: '' });
    });
  });

  it('ends all connections when it is closed, also those that are on their way', async () => {
    const { pool, limits, breaker } = await createPool();
    const [one] = await served(pool, limits, 2);
    await one?.ask();
    take(pool, limits);
    take(pool, limits);
    pool.close();
    while (pool.connections > 0) await new Promise(setImmediate);
    expect(breaker.counts.connections).to.equal(0);
  });
});
