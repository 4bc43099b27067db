/** Faults of the agent itself: whatever throws, wherever it does, ends the request that it was at, and nothing else. */
import { expect } from 'chai';
import { systemClock } from '../../../../process/clock.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { ask, World } from './world.ts';

const service = 'reviews.default';
const cluster = `${service}|http|`;

/** Throws when it is asked for the nth time, n counted from where it was armed. */
class Trap {
  #left = Number.POSITIVE_INFINITY;

  arm(n: number): void {
    this.#left = n;
  }

  pass(): void {
    if (--this.#left === 0) throw new Error('the trap');
  }

  /** Whether it has not thrown. */
  get isLeft(): boolean {
    return this.#left > 0;
  }
}

describe('a fault of the agent itself', () => {
  let world: World;
  let trap: Trap;
  beforeEach(() => {
    world = new World();
    trap = new Trap();
  });
  afterEach(async () => {
    world.faults.length = 0;
    await world.close();
  });

  function outboundTo(port: number) {
    world.directory.swap(
      serviceResources({
        routes: [route('', { cluster })],
        clusters: { [cluster]: [{ id: 'a', port }] },
        // It is told how each request went.
        policies: { [cluster]: { outlierDetection: { consecutive_5xx: { value: 1_000 } } } },
      }),
    );
    const clock = {
      ...systemClock,
      elapsed: () => {
        trap.pass();
        return systemClock.elapsed();
      },
      // Outlier detection asks for it.
      now: () => {
        trap.pass();
        return systemClock.now();
      },
    };
    const random = () => {
      trap.pass();
      return Math.random();
    };
    return world.outbound({ clock, random });
  }

  const answers = () =>
    world.app('reviews', (request, response) => {
      request.resume().on('end', () => response.end('x'.repeat(200_000)));
    });
  const endsConnections = () => world.tcp((socket) => void socket.once('data', () => socket.destroy()));

  for (const { what, start, want } of [
    { what: 'answers', start: answers, want: { status: 200, length: 200_000 } },
    { what: 'ends the connection', start: endsConnections, want: { status: 502 } },
  ])
    it(`ends the request that it was at, wherever it is, and no other, when the instance ${what}`, async () => {
      const listener = await outboundTo(await start());
      const request = { headers: { host: service }, method: 'POST', body: 'y'.repeat(100_000) };
      let place = 1;
      for (; place < 200; place++) {
        trap.arm(place);
        // It is answered with 500, broken off, or whole: what failed came behind it.
        await ask(listener, '/', request).catch(() => {});
        const wasLeft = trap.isLeft;
        trap.arm(Number.POSITIVE_INFINITY);
        const { status, body } = await ask(listener, '/', request);
        expect({ place, status, length: body.length }).to.deep.include({ place, ...want });
        if (wasLeft) break;
      }
      expect(place).to.be.within(4, 199);
      expect(world.faults.map(String)).to.deep.equal(Array(place - 1).fill('Error: the trap'));
      expect(world.underWay()).to.deep.equal({});
    });
});
