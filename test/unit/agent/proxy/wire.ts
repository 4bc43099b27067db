/** HTTP as bytes: a client and an upstream that say what the test says, and remember what they hear. Characters are octets. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { ManualClock, World } from './world.ts';

/** How long a test waits for what does not come; then it says what came instead. */
const patienceMs = 5_000;

/** One connection, seen from one of its ends. */
export class Wire {
  /** All that came, and was not yet taken. */
  received = '';
  /** The other side sends nothing more, in good order. */
  hasEnded = false;
  isClosed = false;
  readonly #socket: Socket;
  readonly #listeners = new Set<() => void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
      this.#tell();
    });
    socket.on('end', () => {
      this.hasEnded = true;
      this.#tell();
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#tell();
    });
    // Whether it ended well is asked by `hasEnded`.
    socket.on('error', () => {});
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** Sends nothing more, but reads on. */
  end(text = ''): void {
    this.#socket.end(text, 'latin1');
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resolves when so much has come, and takes it: what comes behind it is left. */
  async take(count: number): Promise<string> {
    await this.#until(`${count} bytes`, () => this.received.length >= count);
    const taken = this.received.slice(0, count);
    this.received = this.received.slice(count);
    return taken;
  }

  /** Resolves when this has come, and takes everything up to its end. */
  async takeUntil(text: string): Promise<string> {
    await this.#until(JSON.stringify(text), () => this.received.includes(text));
    return this.take(this.received.indexOf(text) + text.length);
  }

  /** Takes a head. */
  takeHead(): Promise<string> {
    return this.takeUntil('\r\n\r\n');
  }

  /** Resolves when the other side sends nothing more, and takes what it has sent. */
  async takeAll(): Promise<string> {
    await this.#until('the end', () => this.hasEnded || this.isClosed);
    return this.take(this.received.length);
  }

  async closed(): Promise<void> {
    await this.#until('the close', () => this.isClosed);
  }

  #until(what: string, isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (isLast = false) => {
        if (!isSo() && !this.isClosed && !isLast) return;
        clearTimeout(timer);
        this.#listeners.delete(look);
        if (isSo()) resolve();
        else {
          const how = this.isClosed ? 'closed' : this.hasEnded ? 'ended' : 'open';
          reject(
            new Error(`${what} did not come; the connection is ${how}, it brought ${JSON.stringify(this.received)}`),
          );
        }
      };
      const timer = setTimeout(look, patienceMs, true);
      this.#listeners.add(look);
      look();
    });
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

async function dial({ address }: Pick<ProxyListener, 'address'>): Promise<Wire> {
  const socket = connect({ host: address.host, port: address.port, allowHalfOpen: true, noDelay: true });
  const wire = new Wire(socket);
  await once(socket, 'connect');
  return wire;
}

/** An upstream whose connections the test takes one by one. */
export class WireUpstream {
  port = 0;
  /** How many connections there have been. */
  connections = 0;
  readonly #arrived: Wire[] = [];
  readonly #waiting: ((wire: Wire) => void)[] = [];

  static async start(world: World): Promise<WireUpstream> {
    const upstream = new WireUpstream();
    upstream.port = await world.tcp((socket) => upstream.#accept(new Wire(socket)), { allowHalfOpen: true });
    return upstream;
  }

  /** The next connection, past or to come. */
  next(): Promise<Wire> {
    const wire = this.#arrived.shift();
    if (wire !== undefined) return Promise.resolve(wire);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #accept(wire: Wire): void {
    this.connections++;
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#arrived.push(wire);
    else waiter(wire);
  }
}

const all = 'reviews.default|http|';

/** A client, an outbound and an upstream of the service `reviews`, which are all that there is. */
export interface Wires {
  readonly world: World;
  readonly clock: ManualClock;
  readonly upstream: WireUpstream;
  readonly outbound: ProxyListener;
  readonly client: Wire;
  /** Another client, of this listener. */
  dial(listener: Pick<ProxyListener, 'address'>): Promise<Wire>;
}

/** New ones for each test of a `describe`; time stands still unless the test lets it pass. */
export function useWires(): Wires {
  const wires: { -readonly [Key in keyof Wires]?: Wires[Key] } = {};
  const dialled: Wire[] = [];
  const dialOne = async (listener: Pick<ProxyListener, 'address'>) => {
    const wire = await dial(listener);
    dialled.push(wire);
    return wire;
  };
  beforeEach(async () => {
    const world = new World();
    const clock = new ManualClock();
    const upstream = await WireUpstream.start(world);
    world.directory.swap(
      serviceResources({ routes: [route('', { cluster: all })], clusters: { [all]: [{ port: upstream.port }] } }),
    );
    const outbound = await world.outbound({ clock });
    Object.assign(wires, { world, clock, upstream, outbound, client: await dialOne(outbound) });
  });
  afterEach(async () => {
    for (const wire of dialled.splice(0)) wire.destroy();
    // What a test leaves open is closed by time.
    const passing = setInterval(() => wires.clock?.pass(1_000_000), 1);
    await wires.world?.close();
    clearInterval(passing);
  });
  const given = <Key extends keyof Wires>(key: Key): Wires[Key] => {
    const value = wires[key];
    if (value === undefined) throw new Error('there are wires within a test alone');
    return value;
  };
  return {
    get world() {
      return given('world');
    },
    get clock() {
      return given('clock');
    },
    get upstream() {
      return given('upstream');
    },
    get outbound() {
      return given('outbound');
    },
    get client() {
      return given('client');
    },
    dial: dialOne,
  };
}

const drawnIds =
  /x-request-id: [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\r\n|traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n/g;

/** Without the ids that the agent draws for requests that have none. */
export function withoutIds(text: string): string {
  return text.replace(drawnIds, '');
}

/** That a connection brings exactly this next, but for the ids: a head, and as much behind it as is wanted. */
export async function expectNext(wire: Wire, want: string): Promise<void> {
  const head = withoutIds(await wire.takeHead());
  expect(head + (await wire.take(Math.max(0, want.length - head.length)))).to.equal(want);
}
