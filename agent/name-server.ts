/** The agent's DNS server with what it stands on: names of the mesh, and the resolvers of this machine. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../process/clock.ts';
import type { HostPort } from '../process/host-port.ts';
import { hasIpv6Loopback } from '../process/ipv6-loopback.ts';
import { resolvConfText } from '../process/resolv-conf.ts';
import type { DnsSettings } from './agent-settings.ts';
import { type DnsServer, startDnsServer } from './dns/dns-server.ts';
import { readResolvConf } from './dns/resolv-conf.ts';
import { meshNames } from './mesh-names.ts';
import type { MeshDirectory } from './view/mesh-directory.ts';

export interface NameServerOptions {
  readonly settings: DnsSettings;
  /** The agent's own: of names that are asked for without one. */
  readonly namespace: string;
  /** Packet rules bring questions here, by the loopback address of their family. */
  readonly isIntercepting: boolean;
  readonly directory: MeshDirectory;
  readonly clock: Clock;
}

/** Whom libc asks without a resolv.conf. */
const thisMachine: HostPort = { host: '127.0.0.1', port: 53 };
/** Whoever changes the resolvers of a machine waits longer than that for them to be used. */
const rereadMs = 5_000;

/** Rejects when it cannot listen. */
export function startNameServer(options: NameServerOptions): Promise<DnsServer> {
  const { settings, namespace, isIntercepting, directory, clock } = options;
  const { listen, domain, vipRange } = settings;
  const hasBoth = isIntercepting && listen.host === '127.0.0.1' && hasIpv6Loopback();
  return startDnsServer({
    listen: hasBoth ? [listen, { host: '::1', port: listen.port }] : [listen],
    domain,
    namespace,
    directory: meshNames({ directory, domain, vipRange }),
    upstreams: systemResolvers(clock),
    clock,
    randomBytes,
  });
}

function systemResolvers(clock: Clock): () => readonly HostPort[] {
  let found: readonly HostPort[] = [];
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.now() - readAt < rereadMs) return found;
    readAt = clock.now();
    const text = resolvConfText();
    found = text === '' ? [thisMachine] : readResolvConf(text);
    return found;
  };
}
