import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import {
  type AppHealth,
  type AppState,
  onProbe,
  probeByTcp,
  startHealthCheck,
  unproven,
} from '../../../../agent/registration/health-check.ts';
import { FakeClock } from '../../process/fake-clock.ts';

const states = (answers: readonly boolean[]): AppState[] => {
  let health: AppHealth = unproven;
  return answers.map((isUp) => {
    health = onProbe(health, isUp);
    return health.is;
  });
};

describe('health of the application', () => {
  for (const { name, answers, want } of [
    {
      name: 'stays starting until it answers',
      answers: [false, false, false],
      want: ['starting', 'starting', 'starting'],
    },
    { name: 'is passing on the first success', answers: [false, true], want: ['starting', 'passing'] },
    {
      name: 'is failing after two failures in a row',
      answers: [true, false, false],
      want: ['passing', 'passing', 'failing'],
    },
    {
      name: 'forgives one failure between successes',
      answers: [true, false, true, false, true],
      want: ['passing', 'passing', 'passing', 'passing', 'passing'],
    },
    {
      name: 'is passing again after two successes in a row',
      answers: [true, false, false, true, false, true, true],
      want: ['passing', 'passing', 'failing', 'failing', 'failing', 'failing', 'passing'],
    },
  ]) {
    it(name, () => expect(states(answers)).to.deep.equal(want));
  }

  /** Lets the promises of a probe settle. */
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('asks at once and then every second, and tells each change once', async () => {
    const clock = new FakeClock();
    const told: AppState[] = [];
    let isUp = false;
    let asked = 0;
    const probe = async () => {
      asked += 1;
      return isUp;
    };
    const addresses = [{ host: '127.0.0.1', port: 1 }];
    const check = startHealthCheck({ addresses, clock, probe, onChange: (state) => told.push(state) });
    await settle();
    expect({ asked, told: [...told] }).to.deep.equal({ asked: 1, told: [] });
    isUp = true;
    for (const _second of [1, 2, 3]) {
      clock.advance(1_000);
      await settle();
    }
    expect({ asked, told }).to.deep.equal({ asked: 4, told: ['passing'] });
    check.close();
    clock.advance(10_000);
    expect(asked).to.equal(4);
  });

  it('looks soon when a request could not reach the application, however many could not', async () => {
    const clock = new FakeClock();
    const told: AppState[] = [];
    const answers = [true, false, false];
    let asked = 0;
    const probe = async () => {
      asked += 1;
      return answers.shift() ?? false;
    };
    const addresses = [{ host: '127.0.0.1', port: 1 }];
    const check = startHealthCheck({ addresses, clock, probe, onChange: (state) => told.push(state) });
    check.lookSoon();
    await settle();
    for (const _failure of [1, 2]) {
      for (let requests = 0; requests < 10; requests++) check.lookSoon();
      clock.advance(50);
      await settle();
    }
    expect({ asked, told }).to.deep.equal({ asked: 3, told: ['passing', 'failing'] });
    check.close();
    check.lookSoon();
    clock.advance(10_000);
    expect(asked).to.equal(3);
  });

  it('takes no answer within a second for a failure', async () => {
    const clock = new FakeClock();
    const aborted: boolean[] = [];
    const check = startHealthCheck({
      addresses: [{ host: '127.0.0.1', port: 1 }],
      clock,
      probe: (_address, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            aborted.push(true);
            resolve(false);
          });
        }),
      onChange: () => {},
    });
    clock.advance(1_000);
    await settle();
    expect({ aborted, state: check.state }).to.deep.equal({ aborted: [true], state: 'starting' });
    check.close();
  });

  it('needs every port of the application', async () => {
    const clock = new FakeClock();
    const told: AppState[] = [];
    const addresses = [1, 2].map((port) => ({ host: '127.0.0.1', port }));
    const probe = async ({ port }: { port: number }) => port === 1;
    const check = startHealthCheck({ addresses, clock, probe, onChange: (state) => told.push(state) });
    await settle();
    expect(told).to.deep.equal([]);
    check.close();
  });

  it('is asked by a TCP connection', async () => {
    const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await probeByTcp({ host: '127.0.0.1', port }, new AbortController().signal)).to.equal(true);
    server.close();
    await once(server, 'close');
    expect(await probeByTcp({ host: '127.0.0.1', port }, new AbortController().signal)).to.equal(false);
  });
});
