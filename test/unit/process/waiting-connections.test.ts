import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { acceptWaiting } from '../../../process/waiting-connections.ts';

describe('connections that wait', () => {
  let server: Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  /** So many dial; what is accepted, up to `most`, in the turn in which libuv has accepted the first. */
  async function accepted(count: number, most: number): Promise<{ clients: Socket[]; waiting: Socket[] }> {
    const { port } = server.address() as AddressInfo;
    const turn = new Promise<Socket[]>((resolve) => {
      server.once('connection', (first) => {
        const waiting = acceptWaiting(server, most);
        sockets.push(first, ...waiting);
        resolve(waiting);
      });
    });
    // On loopback each waits for the server as soon as it has dialled.
    const clients = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
    sockets.push(...clients);
    return { clients, waiting: await turn };
  }

  it('are accepted in the same turn of the event loop, and are as others are', async () => {
    const { clients, waiting } = await accepted(5, 100);
    expect(waiting).to.have.lengthOf(4);
    for (const socket of waiting) {
      const client = clients.find(({ localPort }) => localPort === socket.remotePort);
      if (client === undefined) throw new Error('it is nobody that dialled');
      const said = once(client, 'data');
      const heard = once(socket, 'data');
      socket.write('hello');
      client.write('you');
      expect(String(await said)).to.equal('hello');
      expect(String(await heard)).to.equal('you');
    }
  });

  it('are left when there are more than may be', async () => {
    const { waiting } = await accepted(5, 2);
    expect(waiting).to.have.lengthOf(2);
  });

  it('are none of a server that does not listen', () => expect(acceptWaiting(createServer(), 10)).to.deep.equal([]));
});
