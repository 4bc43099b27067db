import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { openPort, type Port } from '../../../agent/http1/port.ts';
import { closeHandle, type SocketHandle } from '../../../agent/http1/socket-handle.ts';
import { type Fork, startFork } from '../../../process/fork.ts';

const program = join(import.meta.dirname, 'forked-program.ts');

describe('a program as a child with a channel', () => {
  let child: Fork;
  let heard: unknown[];
  let ends: string[];
  let client: Socket;
  let port: Port;
  let handle: SocketHandle | undefined;

  beforeEach(async () => {
    heard = [];
    ends = [];
    handle = undefined;
    child = startFork(program, { onMessage: (message) => heard.push(message), onEnd: (how) => ends.push(how) });
    port = await openPort({ host: '127.0.0.1', port: 0 }, (came) => {
      handle = came;
    });
    client = connect(port.address.port, port.address.host);
    await until(() => handle !== undefined && heard.length === 1);
  });
  afterEach(async () => {
    child.kill();
    await until(() => ends.length > 0);
    client.destroy();
    port.close();
    if (handle !== undefined) closeHandle(handle);
  });

  const pid = () => child.pid ?? expect.fail('it was not started');

  it('hears all in the order in which it was sent, handles of sockets too', async () => {
    child.send({ n: 1 });
    child.send({ n: 2 }, handle);
    child.send({ n: 3 });
    await until(() => heard.length === 4);
    expect(heard.slice(1)).to.deep.equal([
      { heard: { n: 1 }, with: 'nothing' },
      { heard: { n: 2 }, with: 'TCP' },
      { heard: { n: 3 }, with: 'nothing' },
    ]);
  });

  it('tells how it ended, once, after all that it has said', async () => {
    child.send({ end: true });
    await until(() => ends.length > 0);
    expect(heard.at(-1)).to.deep.equal({ heard: { end: true }, with: 'nothing' });
    child.kill();
    child.send({ n: 1 });
    expect(ends).to.deep.equal(['exit code 3']);
    expect(existsSync(`/proc/${child.pid}`)).to.equal(false);
  });

  it('tells its end also when a handle was on its way to it', async () => {
    process.kill(pid(), 'SIGSTOP');
    child.send({ n: 1 }, handle);
    child.send({ n: 2 });
    child.kill();
    await until(() => ends.length > 0);
    expect(ends).to.deep.equal(['signal SIGKILL']);
  });
});

/** For what has no event; the time-out of the test bounds it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
