/** Faults of the agent itself: whatever throws, wherever it does, ends the request that it was at, and nothing else. */
import { expect } from 'chai';
import { answer } from '../../../../agent/proxy/answer.ts';
import { systemClock } from '../../../../process/clock.ts';
import { route } from '../../routing/resources.ts';
import { serviceResources } from '../view/resources.ts';
import { ask, askRaw, World } from './world.ts';

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

  /** Runs what belongs to no request: there it does not throw, and is not nearer to it. */
  spare(run: () => void): void {
    const left = this.#left;
    this.#left = Number.POSITIVE_INFINITY;
    run();
    this.#left = left;
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
      // On a busy machine those of the listener run out in the middle of a request.
      after: (delayMs: number, run: () => void) => systemClock.after(delayMs, () => trap.spare(run)),
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

  it('leaves nothing that it had begun to put together, neither to this client nor to the next', async () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    const final = 'HTTP/1.1 200 OK\r\nX-A: a\r\nContent-Length: 2\r\n\r\nok';
    const port = await world.tcp((socket) => void socket.on('data', () => socket.write(interim + final)));
    world.directory.swap(
      serviceResources({ routes: [route('', { cluster })], clusters: { [cluster]: [{ id: 'a', port }] } }),
    );
    const listener = await world.outbound();
    const request = `GET / HTTP/1.1\r\nHost: ${service}\r\nConnection: close\r\n\r\n`;
    const whole = await askRaw(listener, request);
    const { text, copy } = answer;
    const refused =
      /^HTTP\/1\.1 500 Internal Server Error\r\n(?:[\w-]+: .*\r\n)+\r\nthe agent failed at this request.*\n$/;
    const answers: string[] = [];
    try {
      answer.text = (words) => {
        trap.pass();
        text.call(answer, words);
      };
      answer.copy = (bytes, from, to) => {
        trap.pass();
        copy.call(answer, bytes, from, to);
      };
      for (let place = 1; place < 100; place++) {
        trap.arm(place);
        answers.push(await askRaw(listener, request));
        if (trap.isLeft) break;
        expect({ place, next: await askRaw(listener, request) }).to.deep.equal({ place, next: whole });
      }
    } finally {
      Object.assign(answer, { text, copy });
    }
    expect(answers.pop()).to.equal(whole);
    // Where the interim head failed the client is told; where the final one did, its connection ends behind the other.
    const interimGone = whole.slice(0, whole.indexOf('HTTP/1.1 200'));
    const kinds = answers.map((text) => (refused.test(text) ? 'refused' : text === interimGone ? 'broken off' : text));
    expect(new Set(kinds)).to.deep.equal(new Set(['refused', 'broken off']));
    expect(world.faults).to.have.lengthOf(answers.length);
  });
});
