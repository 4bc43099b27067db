/** The packet rules of a running agent: in place before it says that it is ready, gone when it ends. */

import { isIP } from 'node:net';
import { hasIpv6Loopback } from '../process/ipv6-loopback.ts';
import type { Logger } from '../process/log.ts';
import { resolvConfText } from '../process/resolv-conf.ts';
import { runProgram } from '../process/run-program.ts';
import type { AgentSettings } from './agent-settings.ts';
import { installRules, removeRules } from './interception/interception.ts';
import { type Interception, interceptionSchema } from './interception/rules/description.ts';
import { nameServersToTake } from './interception/rules/name-servers.ts';
import type { RunningAgent } from './start.ts';

export interface PacketRules {
  /** Does nothing the second time; what cannot be removed is told of, and does not keep the agent from ending. */
  remove(): Promise<void>;
}

type Described = Pick<AgentSettings, 'interception' | 'servers' | 'appPorts'>;

/** Rejects when the kernel cannot be told: then no rule is there. */
export async function installPacketRules(
  settings: Described,
  addresses: RunningAgent['addresses'],
  log: Logger,
): Promise<PacketRules | undefined> {
  const { interception } = settings;
  if (interception === undefined || interception.backend === 'external') return undefined;
  const { backend } = interception;
  await installRules(describe(settings, addresses), { backend, run: runProgram });
  log.info({ backend }, 'packet rules are in place');
  let removed: Promise<void> | undefined;
  const remove = async () => {
    try {
      await removeRules({ backends: [backend], run: runProgram });
    } catch (cause) {
      const sentence = `packet rules are left behind; remove them with: sluice intercept uninstall --backend ${backend}`;
      log.error({ err: cause }, sentence);
    }
  };
  return {
    remove: () => {
      removed ??= remove();
      return removed;
    },
  };
}

/** What is to be brought to an agent that listens there. */
export function describe(settings: Described, addresses: RunningAgent['addresses']): Interception {
  const { interception, servers, appPorts } = settings;
  const [inbound] = appPorts.map((port) => port.inbound.port);
  const [dns] = addresses.dns;
  return interceptionSchema.parse({
    // What the agent itself sends goes out: it is known by its user.
    agent: { uid: process.getuid?.() ?? 0 },
    families: hasIpv6Loopback() ? ['ipv4', 'ipv6'] : ['ipv4'],
    outboundPort: addresses.outbound.port,
    ...(inbound === undefined ? { inbound: { ports: [] } } : { inboundPort: inbound }),
    ...(dns !== undefined && { dnsPort: dns.port }),
    dnsServers: dns === undefined ? [] : nameServersToTake(resolvConfText()),
    ownPorts: [addresses.admin.port, ...addresses.upstreams.map(({ address }) => address.port)],
    vipRanges: [interception?.vipRange ?? ''],
    controlPlane: servers.flatMap(({ host, port }) => (isIP(host) === 0 ? [] : [{ address: host, port }])),
  });
}
