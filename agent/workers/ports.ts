/** The ports of an agent with workers: the main process listens, and hands on what comes. */
import type { HostPort } from '../../process/host-port.ts';
import { type OpenPort, openForBothFamilies, openPort, type Port } from '../http1/port.ts';
import type { SocketHandle } from '../http1/socket-handle.ts';
import { type ListenerSettings, upstreamName } from '../listeners.ts';
import type { ListeningPort } from '../registration/instance.ts';

export interface WorkerPorts {
  /** With the numbers that ports 0 became: what workers are told. */
  readonly settings: ListenerSettings;
  readonly outbound: HostPort;
  readonly inbound: readonly ListeningPort[];
  readonly redirected: HostPort | undefined;
  readonly upstreams: readonly ListeningPort[];
  closeInbound(): void;
  close(): void;
}

/** Rejects when one of them cannot be listened on; then none is. */
export async function openPorts(
  settings: ListenerSettings,
  onConnection: (port: HostPort, handle: SocketHandle) => void,
): Promise<WorkerPorts> {
  const opened: Port[] = [];
  const openBy = async (by: OpenPort, listen: HostPort): Promise<Port> => {
    const port = await by(listen, (handle) => onConnection(port.address, handle));
    opened.push(port);
    return port;
  };
  const isRedirected = settings.interception !== undefined;
  const open = (listen: HostPort) => openBy(openPort, listen);
  const openRedirected = (listen: HostPort) => openBy(isRedirected ? openForBothFamilies : openPort, listen);
  const close = (ports: readonly Port[]) => {
    for (const port of ports) port.close();
  };

  try {
    const outbound = await openRedirected(settings.outbound);
    const upstreams = await inTurn(settings.upstreams, async (upstream) => {
      const { address } = await open(upstream.listen);
      return { name: upstreamName(upstream), address, setting: { ...upstream, listen: address } };
    });
    let redirected: Port | undefined;
    const inbound = await inTurn(settings.appPorts, async (appPort) => {
      // Rules bring what is for any port of the application to one, and callers dial the application itself.
      redirected ??= isRedirected ? await openRedirected(appPort.inbound) : undefined;
      const port = redirected ?? (await open(appPort.inbound));
      const address = isRedirected ? { host: port.address.host, port: appPort.app.port } : port.address;
      return { name: appPort.name, address, port, setting: { ...appPort, inbound: port.address } };
    });
    return {
      settings: {
        ...settings,
        outbound: outbound.address,
        upstreams: upstreams.map(({ setting }) => setting),
        appPorts: inbound.map(({ setting }) => setting),
      },
      outbound: outbound.address,
      inbound,
      redirected: redirected?.address,
      upstreams,
      closeInbound: () => close(inbound.map(({ port }) => port)),
      close: () => close(opened),
    };
  } catch (cause) {
    close(opened);
    throw cause;
  }
}

/** One after the other: what cannot be had ends it, and nothing is still on its way then. */
async function inTurn<From, To>(list: readonly From[], make: (from: From) => Promise<To>): Promise<To[]> {
  const made: To[] = [];
  for (const each of list) made.push(await make(each));
  return made;
}
