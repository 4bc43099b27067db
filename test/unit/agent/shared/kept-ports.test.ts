import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import type { Port } from '../../../../agent/http1/port.ts';
import { closeHandle } from '../../../../agent/http1/socket-handle.ts';
import { KeptPorts } from '../../../../agent/shared/kept-ports.ts';
import { findFreePorts } from '../../../support/processes.ts';

describe('ports that are kept', () => {
  let listen: { readonly host: string; readonly port: number };
  let ports: KeptPorts;
  let opened: Port[];
  /** Who was handed a connection, one after the other. */
  let came: string[];

  beforeEach(async () => {
    const [port = 0] = await findFreePorts(1);
    listen = { host: '127.0.0.1', port };
    ports = new KeptPorts();
    opened = [];
    came = [];
  });
  afterEach(() => {
    for (const port of opened) port.close();
  });

  async function open(name: string, place = listen, by = ports.plain): Promise<Port> {
    const port = await by(place, (handle) => {
      came.push(name);
      closeHandle(handle);
    });
    opened.push(port);
    return port;
  }

  async function dial(at = listen): Promise<string> {
    const socket = connect(at);
    const error = await once(socket, 'close').then(
      () => undefined,
      (cause: NodeJS.ErrnoException) => cause.code,
    );
    return error ?? came.at(-1) ?? 'nobody';
  }

  it('pass to who opens them last, and back when that one closes first', async () => {
    await open('first');
    expect(await dial()).to.equal('first');
    const second = await open('second');
    expect(second.address).to.deep.equal(listen);
    expect(await dial()).to.equal('second');
    second.close();
    expect(await dial()).to.equal('first');
  });

  it('stay with the successor when the one before closes, and close with the last', async () => {
    const first = await open('first');
    const second = await open('second');
    first.close();
    first.close();
    expect(await dial()).to.equal('second');
    second.close();
    expect(await dial()).to.equal('ECONNREFUSED');
    await open('third');
    expect(await dial()).to.equal('third');
  });

  it('are another one for everybody where any will do', async () => {
    const any = { host: '127.0.0.1', port: 0 };
    const [one, other] = [await open('one', any), await open('other', any)];
    expect(one.address.port).to.not.equal(other.address.port);
    expect([await dial(one.address), await dial(other.address)]).to.deep.equal(['one', 'other']);
  });

  it('are in use for who opens them in another way', async () => {
    await open('first');
    const refused = await open('second', listen, ports.redirected).catch((error: Error) => error.message);
    expect(refused).to.contain('EADDRINUSE');
    expect(await dial()).to.equal('first');
  });
});
