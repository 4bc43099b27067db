import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { type ConnectionListener, startConnectionListener } from '../../../../agent/http1/connection-listener.ts';
import { Transport } from '../../../../agent/http1/transport.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { createSocketContext } from './socket-context.ts';

describe('a listener for connections', () => {
  let listener: ConnectionListener;
  let clock: FakeClock;
  let tooMany: number;
  let faults: unknown[];
  const sockets: Socket[] = [];

  /** Each connection says that it is there, and is kept until one side ends it. */
  beforeEach(async () => {
    clock = new FakeClock();
    tooMany = 0;
    faults = [];
    listener = await startConnectionListener({
      listen: { host: '127.0.0.1', port: 0 },
      clock,
      mostConnections: 2,
      accept(handle, onClosed) {
        const user = {
          onBytes() {},
          onEnd: () => transport.end(),
          onDrain() {},
          onClosed: () => onClosed(connection),
        };
        const transport: Transport = Transport.accept(handle, user, createSocketContext(clock));
        const connection = { drain() {}, destroy: () => transport.destroy() };
        transport.write(Buffer.from('here'), 0, 4);
        return connection;
      },
      onFault: (error) => void faults.push(error),
      onTooMany: () => tooMany++,
    });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await listener.close(0);
  });

  function dial(): Socket {
    const socket = connect({ ...listener.address });
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  }

  it('takes as many as it may, closes the others at once, and counts them', async () => {
    const first = dial();
    await once(first, 'data');
    const second = dial();
    await once(second, 'data');
    expect([await text(dial()), await text(dial())]).to.deep.equal(['', '']);
    expect([listener.connections, tooMany]).to.deep.equal([2, 2]);
    first.end();
    while (listener.connections > 1) await new Promise(setImmediate);
    expect(String((await once(dial(), 'data'))[0])).to.equal('here');
    expect([listener.connections, tooMany]).to.deep.equal([2, 2]);
  });

  it('takes no more when it is closed, and ends those that are left when their grace is over', async () => {
    const socket = dial();
    await once(socket, 'data');
    const closed = listener.close(1_000);
    const [error] = await once(dial().removeAllListeners('error'), 'error');
    expect(error.code).to.equal('ECONNREFUSED');
    const isGone = once(socket, 'close');
    clock.advance(999);
    expect(listener.connections).to.equal(1);
    clock.advance(1);
    await Promise.all([closed, isGone]);
    expect(listener.connections).to.equal(0);
  });
});
