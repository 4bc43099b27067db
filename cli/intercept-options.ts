/** What `sluice intercept` is told, as the description that rules are made of. What is wrong with it is wrong usage. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { backends } from '../agent/interception/interception.ts';
import {
  agentPorts,
  defaultVipRange,
  type Interception,
  type InterceptionInput,
  interceptionSchema,
} from '../agent/interception/rules/description.ts';
import { nameServersToTake } from '../agent/interception/rules/name-servers.ts';
import { parseValue } from '../model/parse.ts';
import { parseHostPort } from '../process/host-port.ts';
import { hasIpv6Loopback } from '../process/ipv6-loopback.ts';
import { resolvConfText } from '../process/resolv-conf.ts';
import { usageError } from './context.ts';

export function addInterceptOptions(command: Command): Command {
  return command
    .addOption(new Option('--backend <name>', 'which tool tells the kernel (default: nftables)').choices(backends))
    .option('--dry-run', 'print the rules, change nothing')
    .addOption(number('--agent-uid <uid>', 'user of the agent: what it sends is let alone'))
    .addOption(number('--agent-gid <gid>', 'group of the agent'))
    .option('--agent-cgroup <path>', 'cgroup v2 of the agent, such as system.slice/sluice-agent.service')
    .addOption(
      number('--outbound-port <port>', `where connections of applications go (default: ${agentPorts.outbound})`),
    )
    .addOption(number('--inbound-port <port>', `where connections to applications go (default: ${agentPorts.inbound})`))
    .addOption(number('--dns-port <port>', `where questions of names go (default: ${agentPorts.dns})`))
    .addOption(numbers('--own-ports <ports>', `other ports of the agent (default: ${agentPorts.admin})`))
    .addOption(words('--vip-range <cidrs>', `addresses of services (default: ${defaultVipRange})`))
    .addOption(words('--server <addresses>', 'IP:PORT of the control plane, which everybody reaches directly'))
    .option(
      '--dns-servers <addresses>',
      'whose questions are taken: all, none, or a list (default: by /etc/resolv.conf)',
    )
    .option(
      '--inbound-ports <ports>',
      'ports whose callers come to the agent: all, none, or a list (default: all but 22)',
    )
    .addOption(numbers('--exclude-inbound-ports <ports>', 'ports whose callers do not'))
    .addOption(words('--exclude-inbound-cidrs <cidrs>', 'callers that do not'))
    .addOption(numbers('--exclude-outbound-ports <ports>', 'ports that applications reach directly'))
    .addOption(words('--exclude-outbound-cidrs <cidrs>', 'addresses that applications reach directly'))
    .addOption(numbers('--exclude-uids <uids>', 'users whose connections and names are not taken'))
    .addOption(numbers('--only-uids <uids>', 'users whose connections and names are taken (default: all)'))
    .option('--ipv4-only', 'leave IPv6 alone (default: in a kernel without it)');
}

/** What commander collected, as the options above made it. */
const collected = z.object({
  backend: z.enum(backends).optional(),
  dryRun: z.boolean().default(false),
  agentUid: z.number().optional(),
  agentGid: z.number().optional(),
  agentCgroup: z.string().optional(),
  outboundPort: z.number().optional(),
  inboundPort: z.number().optional(),
  dnsPort: z.number().optional(),
  ownPorts: z.array(z.number()).optional(),
  vipRange: z.array(z.string()).optional(),
  server: z.array(z.string()).optional(),
  dnsServers: z.string().optional(),
  inboundPorts: z.string().optional(),
  excludeInboundPorts: z.array(z.number()).optional(),
  excludeInboundCidrs: z.array(z.string()).optional(),
  excludeOutboundPorts: z.array(z.number()).optional(),
  excludeOutboundCidrs: z.array(z.string()).optional(),
  excludeUids: z.array(z.number()).optional(),
  onlyUids: z.array(z.number()).optional(),
  ipv4Only: z.boolean().default(false),
});

export type InterceptOptions = z.output<typeof collected>;

export function interceptOptions(command: Command): InterceptOptions {
  return collected.parse(command.opts());
}

export function interceptionOf(options: InterceptOptions): Interception {
  const parsed = parseValue(interceptionSchema, inputOf(options));
  if (parsed.ok) return parsed.value;
  const faults = parsed.faults.map(({ path: [first = '', second = ''], message }) => {
    return `${flags[`${first}.${second}`] ?? flags[first] ?? first}: ${message}`;
  });
  throw usageError([...new Set(faults)].join('\n'));
}

function inputOf(options: InterceptOptions): InterceptionInput {
  const { outboundPort, inboundPort, dnsPort, ownPorts, inboundPorts, dnsServers } = options;
  return {
    agent: { uid: options.agentUid, gid: options.agentGid, cgroup: options.agentCgroup },
    families: options.ipv4Only || !hasIpv6Loopback() ? ['ipv4'] : ['ipv4', 'ipv6'],
    outboundPort,
    inboundPort,
    dnsPort,
    ownPorts,
    vipRanges: options.vipRange,
    controlPlane: options.server?.map(toControlPlane),
    outbound: {
      uids: options.onlyUids,
      excludeUids: options.excludeUids,
      excludePorts: options.excludeOutboundPorts,
      excludeCidrs: options.excludeOutboundCidrs,
    },
    inbound: {
      ports: inboundPorts === undefined ? undefined : allOr(inboundPorts, '--inbound-ports', toNumbers),
      excludePorts: options.excludeInboundPorts,
      excludeCidrs: options.excludeInboundCidrs,
    },
    dnsServers:
      dnsServers === undefined ? nameServersToTake(resolvConfText()) : allOr(dnsServers, '--dns-servers', toWords),
  };
}

/** By the field of the description that a fault is in. */
const flags: Readonly<Record<string, string>> = {
  agent: '--agent-uid, --agent-gid or --agent-cgroup',
  'agent.uid': '--agent-uid',
  'agent.gid': '--agent-gid',
  'agent.cgroup': '--agent-cgroup',
  outboundPort: '--outbound-port',
  inboundPort: '--inbound-port',
  dnsPort: '--dns-port',
  ownPorts: '--own-ports',
  vipRanges: '--vip-range',
  controlPlane: '--server',
  dnsServers: '--dns-servers',
  'outbound.uids': '--only-uids',
  'outbound.excludeUids': '--exclude-uids',
  'outbound.excludePorts': '--exclude-outbound-ports',
  'outbound.excludeCidrs': '--exclude-outbound-cidrs',
  'inbound.ports': '--inbound-ports',
  'inbound.excludePorts': '--exclude-inbound-ports',
  'inbound.excludeCidrs': '--exclude-inbound-cidrs',
};

/** Rules know addresses: a name may stand for others tomorrow. */
function toControlPlane(text: string): { address: string; port: number } {
  const parsed = parseHostPort(text);
  if (parsed !== undefined && /^[\d.]+$|:/.test(parsed.host)) return { address: parsed.host, port: parsed.port };
  throw usageError(`--server: "${text}" must be IP:PORT: rules cannot follow a name`);
}

function allOr<Item>(text: string, flag: string, toItems: (text: string) => Item[]): 'all' | Item[] {
  if (text === 'all') return 'all';
  if (text === 'none') return [];
  try {
    return toItems(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw usageError(`${flag}: must be all, none, or a list separated by commas`);
  }
}

function number(name: string, description: string): Option {
  return new Option(name, description).argParser(toNumber);
}

function numbers(name: string, description: string): Option {
  return new Option(name, description).argParser((text: string, before: number[] | undefined) => [
    ...(before ?? []),
    ...toNumbers(text),
  ]);
}

function words(name: string, description: string): Option {
  return new Option(name, description).argParser((text: string, before: string[] | undefined) => [
    ...(before ?? []),
    ...toWords(text),
  ]);
}

function toNumber(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('must be a number.');
}

function toNumbers(text: string): number[] {
  return toWords(text).map(toNumber);
}

function toWords(text: string): string[] {
  const all = text.split(',').map((word) => word.trim());
  if (all.includes('')) throw new InvalidArgumentError('must be a list separated by commas.');
  return all;
}
