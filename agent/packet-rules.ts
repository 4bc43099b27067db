/**
 * The packet rules of a running agent: in place before it says that it is ready, gone when it ends. They go by steps: no port may close
 * while a rule leads to it, and connections that were brought here need the kernel's translation as long as they live.
 */

import { isIP } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { formatHostPort, isLoopback } from '../process/host-port.ts';
import { hasIpv6Loopback } from '../process/ipv6-loopback.ts';
import type { Logger } from '../process/log.ts';
import { resolvConfText } from '../process/resolv-conf.ts';
import { type RunProgram, runProgram } from '../process/run-program.ts';
import type { CoreAddresses } from './agent-core.ts';
import type { AgentSettings, EntrySettings } from './agent-settings.ts';
import { type Backend, installRules, type Removal, releaseRules, removeRules } from './interception/interception.ts';
import { type Interception, type InterceptionInput, interceptionSchema } from './interception/rules/description.ts';
import { nameServersToTake } from './interception/rules/name-servers.ts';
import { withoutCallers } from './interception/rules/rule-set.ts';
import { holdRules } from './rule-holder.ts';
import type { RunningAgent } from './start.ts';

export interface PacketRules {
  readonly backend: Backend;
  /**
   * These, in place of those before; undefined: none. Rejects when the kernel cannot be told, or the rules are another agent's, and
   * then nothing has changed. Does nothing when they are in place, or all have been removed for good.
   */
  put(described: Interception | undefined): Promise<void>;
  /** From now on nothing is brought here; connections that were go on. What `put` says puts an end to that. */
  release(): Promise<void>;
  /** From now on who dials this host reaches whom he dials, for good; the rest stays as it is. Says to the log what cannot be done. */
  leaveCallers(): Promise<void>;
  /** The same for all: `release`, for good. */
  leaveAll(): Promise<void>;
  /** For good. Does nothing the second time; what cannot be removed is told of, and does not keep the agent from ending. */
  remove(): Promise<void>;
}

export function packetRules(
  backend: Backend,
  log: Logger,
  run: RunProgram = runProgram,
  hold = holdRules,
): PacketRules {
  /** '': none. */
  let present = '';
  /** Of these rules those that are there are what is left. */
  let last: Interception | undefined;
  let letGo: (() => void) | undefined;
  let isEnding = false;
  let isOver = false;
  /** One change after the other. */
  let lastChange: Promise<void> = Promise.resolve();
  const inTurn = (change: () => Promise<void>) => {
    const done = lastChange.then(change);
    lastChange = done.catch(() => {});
    return done;
  };
  const release = async () => {
    const wanted = `released ${JSON.stringify(last)}`;
    if (isOver || last === undefined || present === wanted) return;
    await releaseRules(last, { backend, run });
    present = wanted;
    log.info({ backend }, 'packet rules lead here no more');
  };
  /** The end does not wait for what cannot be done. */
  const tried = (change: () => Promise<void>) =>
    inTurn(async () => {
      isEnding = true;
      await change().catch((cause: unknown) => log.warn({ err: cause }, 'packet rules still lead here'));
    });
  return {
    backend,
    put: (described) =>
      inTurn(async () => {
        const wanted = described === undefined ? '' : JSON.stringify(described);
        if (isEnding || wanted === present) return;
        letGo ??= await hold();
        if (described === undefined) await removeRules({ backends: [backend], run });
        else await installRules(described, { backend, run });
        present = wanted;
        last = described;
        log.info({ backend }, described === undefined ? 'packet rules are removed' : 'packet rules are in place');
      }),
    release: () => inTurn(release),
    leaveCallers: () =>
      tried(async () => {
        if (isOver || last === undefined || present !== JSON.stringify(last)) return;
        const remaining = withoutCallers(last);
        if (JSON.stringify(remaining) === present) return;
        await installRules(remaining, { backend, run });
        present = JSON.stringify(remaining);
        log.info({ backend }, 'packet rules bring no callers any more');
      }),
    leaveAll: () => tried(release),
    remove: () =>
      inTurn(async () => {
        if (isOver) return;
        isOver = true;
        isEnding = true;
        try {
          if (present !== '') await removeAtLast({ backends: [backend], run });
        } catch (cause) {
          const sentence = `packet rules are left behind; remove them with: sluice intercept uninstall --backend ${backend}`;
          log.error({ err: cause }, sentence);
        }
        letGo?.();
      }),
  };
}

/** What keeps it from being done may be over soon: no descriptor is left, or others change rules. */
const triesAfterMs = [100, 500];

async function removeAtLast(removal: Removal): Promise<void> {
  for (const waitMs of triesAfterMs) {
    try {
      return await removeRules(removal);
    } catch {
      await setTimeout(waitMs);
    }
  }
  await removeRules(removal);
}

/** Rejects when the kernel cannot be told: then no rule is there. */
export async function installPacketRules(
  settings: AgentSettings,
  addresses: RunningAgent['addresses'],
  log: Logger,
): Promise<PacketRules | undefined> {
  const { interception } = settings;
  if (interception === undefined || interception.backend === 'external') return undefined;
  const rules = packetRules(interception.backend, log);
  await rules.put(describe(settings, addresses));
  return rules;
}

/** An application, and where the agent listens for it. */
interface Taken {
  readonly settings: Pick<AgentSettings, 'interception' | 'servers'>;
  readonly addresses: Pick<CoreAddresses, 'upstreams'>;
}

/** What is to be brought to an agent that listens there. */
export function describe(
  settings: Pick<AgentSettings, 'interception' | 'servers'>,
  addresses: RunningAgent['addresses'],
): Interception {
  const { outbound, redirected, admin } = addresses;
  const [dns] = addresses.dns;
  return interceptionSchema.parse({
    ...inCommon([{ settings, addresses }], admin.port),
    outboundPort: outbound.port,
    ...(redirected === undefined ? { inbound: { ports: [] } } : { inboundPort: redirected.port }),
    ...(dns !== undefined && { dnsPort: dns.port }),
    ...(dns === undefined && { dnsServers: [] }),
  });
}

/** An entry of a shared agent. */
export interface TakenEntry {
  readonly settings: EntrySettings;
  readonly addresses: CoreAddresses;
}

/** What is to be brought to each of them; of two that claim the same, to the first. Undefined when nothing is. */
export function describeEntries(entries: readonly TakenEntry[], adminPort: number): Interception | undefined {
  const taken = entries.filter(({ settings }) => settings.interception !== undefined);
  if (taken.length === 0) return undefined;
  return interceptionSchema.parse({
    ...inCommon(taken, adminPort),
    ownPorts: [adminPort, ...entries.flatMap(portsOf)],
    applications: taken.map(({ settings: { uids, gids, appPorts }, addresses: { outbound, redirected, dns } }) => ({
      uids: [...uids],
      gids: [...gids],
      outboundPort: outbound.port,
      dnsPort: dns[0]?.port,
      ports: appPorts.map(({ app }) => app.port),
      loopbackPorts: appPorts.flatMap(({ app }) => (isLoopback(app.host) ? [app.port] : [])),
      inboundPort: redirected?.port,
    })),
  } satisfies InterceptionInput);
}

/** But for those of the rules. An inbound that rules lead to has its application's number. */
function portsOf({ settings, addresses: { outbound, inbound, upstreams } }: TakenEntry): number[] {
  const others = settings.interception === undefined ? [outbound, ...inbound.map(({ address }) => address)] : [];
  return [...others, ...upstreams.map(({ address }) => address)].map(({ port }) => port);
}

function inCommon(taken: readonly Taken[], adminPort: number) {
  const all = taken.flatMap(({ settings }) => settings.servers);
  const servers = new Map(all.map((server) => [formatHostPort(server), server]));
  const ranges = taken.flatMap(({ settings }) => settings.interception?.vipRange ?? []);
  return {
    // What the agent itself sends goes out: it is known by its user.
    agent: { uid: process.getuid?.() ?? 0 },
    families: hasIpv6Loopback() ? ['ipv4' as const, 'ipv6' as const] : ['ipv4' as const],
    dnsServers: nameServersToTake(resolvConfText()),
    ownPorts: [adminPort, ...taken.flatMap(({ addresses }) => addresses.upstreams.map(({ address }) => address.port))],
    vipRanges: [...new Set(ranges)],
    controlPlane: [...servers.values()].flatMap(({ host, port }) =>
      isIP(host) === 0 ? [] : [{ address: host, port }],
    ),
  };
}
