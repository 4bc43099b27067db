import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { SocketUser, Transport } from '../../../../agent/http1/transport.ts';
import { Tunnel } from '../../../../agent/proxy/tunnel.ts';
import { systemClock } from '../../../../process/clock.ts';
import { Accepting } from '../http1/accepting.ts';
import { createSocketContext } from '../http1/socket-context.ts';

/** What one side of a tunnel does is told to `tunnel`, once there is one. */
function side(tell: Partial<SocketUser>): SocketUser {
  return { onBytes: () => {}, onEnd: () => {}, onDrain: () => {}, onClosed: () => {}, ...tell };
}

describe('a tunnel between two connections', () => {
  let accepting: Accepting;
  beforeEach(async () => {
    accepting = await Accepting.start(createSocketContext(systemClock));
  });
  afterEach(() => accepting.close());

  async function open() {
    let tunnel: Tunnel | undefined;
    const client = await accepting.accept(
      side({
        onBytes: (bytes, from, to) => tunnel?.fromClient(bytes, from, to),
        onEnd: () => tunnel?.clientEnded(),
        onDrain: () => tunnel?.clientDrained(),
      }),
    );
    const upstream = await accepting.accept(
      side({
        onBytes: (bytes, from, to) => tunnel?.fromUpstream(bytes, from, to),
        onEnd: () => tunnel?.upstreamEnded(),
        onDrain: () => tunnel?.upstreamDrained(),
      }),
    );
    tunnel = new Tunnel(client.own, upstream.own);
    for (const { own } of [client, upstream]) own.readPrivately(true);
    return { client, upstream };
  }

  const size = 48 * 1024 * 1024;
  /** Of one read, and what Node lets wait before it says that this is enough. */
  const mostWaiting = 4 * 64 * 1024;

  for (const { from, to } of [
    { from: 'upstream', to: 'client' },
    { from: 'client', to: 'upstream' },
  ] as const) {
    it(`takes no more from the ${from} than the ${to} takes, and loses nothing of it`, async () => {
      const sides = await open();
      const [source, target] = [sides[from], sides[to]];
      source.far.end(Buffer.alloc(size, 'x'));
      let most = 0;
      const look = ({ waitingBytes }: Transport) => {
        most = Math.max(most, waitingBytes);
      };
      while (!target.own.isClogged) await turn();
      for (let turns = 0; turns < 200; turns++) {
        await turn();
        look(target.own);
      }
      expect(most).to.be.within(1, mostWaiting);
      let received = 0;
      target.far.on('data', (bytes) => {
        received += bytes.length;
        look(target.own);
      });
      await once(target.far, 'end');
      expect(received).to.equal(size);
      expect(most).to.be.below(mostWaiting);
    });
  }
});
