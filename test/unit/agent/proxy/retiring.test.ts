import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import { ask, World } from './world.ts';

describe('a listener that retires', () => {
  let world: World;
  let listener: ProxyListener;
  let kept: Agent;

  beforeEach(async () => {
    world = new World();
    listener = await world.inbound({ app: { host: '127.0.0.1', port: await world.app('here') } });
    kept = new Agent({ keepAlive: true, maxSockets: 1 });
  });
  afterEach(async () => {
    kept.destroy();
    await world.close();
  });

  it('answers one more request on a connection that is kept, and says that it is the last', async () => {
    const connectionOf = async () => (await ask(listener, '/', { agent: kept })).headers.connection;
    expect(await connectionOf()).to.equal(undefined);
    listener.retire();
    expect(await connectionOf()).to.equal('close');
    while (listener.connections > 0) await new Promise(setImmediate);
  });

  it('takes no new connection', async () => {
    listener.retire();
    const [error] = await once(connect({ ...listener.address }), 'error');
    expect(error.code).to.equal('ECONNREFUSED');
  });

  it('leaves alone who has not asked yet, until it closes', async () => {
    const silent = connect({ ...listener.address });
    while (listener.connections === 0) await new Promise(setImmediate);
    listener.retire();
    const ended = once(silent.resume(), 'close');
    await new Promise(setImmediate);
    expect(listener.connections).to.equal(1);
    await listener.close();
    await ended;
  });
});
