import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openPort, type Port } from '../../../../agent/http1/port.ts';
import type { SocketHandle } from '../../../../agent/http1/socket-handle.ts';
import { deltaOf } from '../../../../agent/workers/mesh-delta.ts';
import type { FromWorker, Start } from '../../../../agent/workers/messages.ts';
import { Worker } from '../../../../agent/workers/worker.ts';
import { nothingHeld } from '../../../../agent/xds/resources.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { silent } from '../xds/session-harness.ts';

const outbound = { host: '127.0.0.1', port: 15_001 };
const inbound = { host: '127.0.0.1', port: 15_006 };

describe('a worker', () => {
  let folder: string;
  let clock: FakeClock;
  let told: FromWorker[];
  let worker: Worker;
  let port: Port;
  let handles: SocketHandle[];
  let clients: Socket[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-worker-'));
    clock = new FakeClock();
    told = [];
    handles = [];
    clients = [];
    port = await openPort({ host: '127.0.0.1', port: 0 }, (handle) => void handles.push(handle));
    worker = new Worker(startWith(join(folder, 'access.log')), {
      clock,
      random: () => 0.5,
      log: silent,
      tell: (message) => void told.push(message),
    });
    await worker.listen();
  });
  afterEach(async () => {
    for (const client of clients) client.destroy();
    port.close();
    const closed = worker.close();
    clock.advance(20_000);
    await closed;
    rmSync(folder, { recursive: true });
  });

  /** A connection that came to this port, as the main process hands it over. */
  async function handOver(to = outbound): Promise<Socket> {
    const count = handles.length;
    const client = connect(port.address.port, port.address.host);
    clients.push(client);
    await until(() => handles.length > count);
    worker.on({ is: 'connection', port: to }, handles[count]);
    return client;
  }

  const counts = () => told.flatMap((message) => ('connections' in message ? [[message.is, message.connections]] : []));

  it('says at once that it has a connection, and soon that it has no more, if there is something to say', async () => {
    const [first] = [await handOver(), await handOver()];
    expect(counts()).to.deep.equal([
      ['accepted', 1],
      ['accepted', 2],
    ]);
    clock.advance(1_000);
    expect(counts()).to.have.lengthOf(2);
    first.destroy();
    await until(() => {
      clock.advance(100);
      return counts().length > 2;
    });
    expect(counts().slice(2)).to.deep.equal([['connections', 1]]);
  });

  it('writes the requests that it carries into the access log of the agent', async () => {
    const client = await handOver();
    client.write('GET / HTTP/1.1\r\nhost: nobody\r\nconnection: close\r\n\r\n');
    // The name is asked for.
    await until(() => told.some(({ is }) => is === 'resolve'));
    worker.on({ is: 'resolved', name: 'nobody.default', resolution: 'absent' }, undefined);
    client.resume();
    await once(client, 'end');
    clock.advance(1_000);
    const file = join(folder, 'access.log');
    await until(() => existsSync(file) && readFileSync(file, 'utf8') !== '');
    expect(JSON.parse(readFileSync(file, 'utf8'))).to.include({ listener: 'outbound', host: 'nobody', status: 404 });
  });

  it('takes no connection that came to a port that is closed', async () => {
    worker.on({ is: 'close-inbound' }, undefined);
    await until(() => told.some(({ is }) => is === 'inbound-closed'));
    const client = await handOver(inbound);
    client.resume();
    await once(client, 'close');
  });
});

function startWith(accessLog: string): Start {
  return {
    is: 'start',
    worker: 1,
    workers: 2,
    zone: '',
    settings: {
      service: 'web',
      namespace: 'default',
      id: 'web-1',
      outbound,
      upstreams: [],
      appPorts: [{ name: '', app: { host: '127.0.0.1', port: 1 }, inbound }],
      forwardedHeaders: [],
      interception: undefined,
    },
    accessLog: { path: accessLog, samplePercent: 100, slowMs: undefined },
    logLevel: 'silent',
    mesh: deltaOf(nothingHeld, nothingHeld),
    verdicts: [],
    obstacle: '',
  };
}

/** For what has no event; the time-out of the test bounds it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
