/** What `sluice intercept` is told, as the description that rules are made of. What is wrong with it is wrong usage. */
import { type Command, Option } from 'commander';
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
    .addOption(one('--agent-uid <uid>', 'user of the agent: what it sends is let alone'))
    .addOption(one('--agent-gid <gid>', 'group of the agent'))
    .option('--agent-cgroup <path>', 'cgroup v2 of the agent, such as system.slice/sluice-agent.service')
    .addOption(one('--outbound-port <port>', `where connections of applications go (default: ${agentPorts.outbound})`))
    .addOption(one('--inbound-port <port>', `where connections to applications go (default: ${agentPorts.inbound})`))
    .addOption(one('--dns-port <port>', `where questions of names go (default: ${agentPorts.dns})`))
    .addOption(list('--own-ports <ports>', `other ports of the agent (default: ${agentPorts.admin})`))
    .addOption(list('--vip-range <cidrs>', `addresses of services (default: ${defaultVipRange})`))
    .addOption(list('--server <addresses>', 'IP:PORT of the control plane, which everybody reaches directly'))
    .option(
      '--dns-servers <addresses>',
      'whose questions are taken: all, none, or a list (default: by /etc/resolv.conf)',
    )
    .option(
      '--inbound-ports <ports>',
      'ports whose callers come to the agent: all, none, or a list (default: all but 22)',
    )
    .addOption(list('--exclude-inbound-ports <ports>', 'ports whose callers do not'))
    .addOption(list('--exclude-inbound-cidrs <cidrs>', 'callers that do not'))
    .addOption(list('--exclude-outbound-ports <ports>', 'ports that applications reach directly'))
    .addOption(list('--exclude-outbound-cidrs <cidrs>', 'addresses that applications reach directly'))
    .addOption(list('--exclude-uids <uids>', 'users whose connections and names are not taken'))
    .addOption(list('--only-uids <uids>', 'users whose connections and names are taken (default: all)'))
    .option('--ipv4-only', 'leave IPv6 alone (default: in a kernel without it)');
}

/** What commander collected, as the options above made it: words, so that all that is wrong with them is said at once. */
const collected = z.object({
  backend: z.enum(backends).optional(),
  dryRun: z.boolean().default(false),
  agentUid: z.string().optional(),
  agentGid: z.string().optional(),
  agentCgroup: z.string().optional(),
  outboundPort: z.string().optional(),
  inboundPort: z.string().optional(),
  dnsPort: z.string().optional(),
  ownPorts: z.array(z.string()).optional(),
  vipRange: z.array(z.string()).optional(),
  server: z.array(z.string()).optional(),
  dnsServers: z.string().optional(),
  inboundPorts: z.string().optional(),
  excludeInboundPorts: z.array(z.string()).optional(),
  excludeInboundCidrs: z.array(z.string()).optional(),
  excludeOutboundPorts: z.array(z.string()).optional(),
  excludeOutboundCidrs: z.array(z.string()).optional(),
  excludeUids: z.array(z.string()).optional(),
  onlyUids: z.array(z.string()).optional(),
  ipv4Only: z.boolean().default(false),
});

export type InterceptOptions = z.output<typeof collected>;

export function interceptOptions(command: Command): InterceptOptions {
  return collected.parse(command.opts());
}

/** Wrong usage, with all that is wrong, unless it can be used. */
export function interceptionOf(options: InterceptOptions): Interception {
  const words = new Words();
  const parsed = parseValue(interceptionSchema, inputOf(options, words));
  const faults = parsed.ok ? [] : parsed.faults;
  const inWords = faults.map(({ path: [first = '', second = ''], message }) => {
    return `${flags[`${first}.${second}`] ?? flags[first] ?? first}: ${message}`;
  });
  const all = [...new Set([...words.faults, ...inWords])];
  if (!parsed.ok || all.length > 0) throw usageError(all.join('\n'));
  return parsed.value;
}

function inputOf(options: InterceptOptions, words: Words): InterceptionInput {
  const { inboundPorts, dnsServers } = options;
  return {
    agent: {
      uid: words.number('--agent-uid', options.agentUid),
      gid: words.number('--agent-gid', options.agentGid),
      cgroup: options.agentCgroup,
    },
    families: options.ipv4Only || !hasIpv6Loopback() ? ['ipv4'] : ['ipv4', 'ipv6'],
    outboundPort: words.number('--outbound-port', options.outboundPort),
    inboundPort: words.number('--inbound-port', options.inboundPort),
    dnsPort: words.number('--dns-port', options.dnsPort),
    ownPorts: words.numbers('--own-ports', options.ownPorts),
    vipRanges: words.list('--vip-range', options.vipRange),
    controlPlane: words.controlPlane('--server', options.server),
    outbound: {
      uids: words.numbers('--only-uids', options.onlyUids),
      excludeUids: words.numbers('--exclude-uids', options.excludeUids),
      excludePorts: words.numbers('--exclude-outbound-ports', options.excludeOutboundPorts),
      excludeCidrs: words.list('--exclude-outbound-cidrs', options.excludeOutboundCidrs),
    },
    inbound: {
      ports: allOr(inboundPorts, (ports) => words.numbers('--inbound-ports', ports, choices)),
      excludePorts: words.numbers('--exclude-inbound-ports', options.excludeInboundPorts),
      excludeCidrs: words.list('--exclude-inbound-cidrs', options.excludeInboundCidrs),
    },
    dnsServers:
      dnsServers === undefined
        ? nameServersToTake(resolvConfText())
        : allOr(dnsServers, (servers) => words.list('--dns-servers', servers, choices)),
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

const choices = 'must be all, none, or a list separated by commas';

/** Reads the words of flags, and collects what is wrong with them. What cannot be read is left out, or stands for any that can. */
class Words {
  readonly faults: string[] = [];

  number(flag: string, text: string | undefined): number | undefined {
    return text === undefined ? undefined : this.#number(flag, text, 'must be a number');
  }

  numbers(flag: string, texts: readonly string[] | undefined, sentence = 'must be numbers separated by commas') {
    return this.list(flag, texts, sentence)?.map((text) => this.#number(flag, text, sentence));
  }

  list(flag: string, texts: readonly string[] | undefined, sentence = 'must be a list separated by commas') {
    const all = texts?.flatMap((text) => text.split(',')).map((word) => word.trim());
    if (all?.includes('')) this.#fault(flag, sentence);
    return all?.filter((word) => word !== '');
  }

  /** Rules know addresses: a name may stand for others tomorrow. */
  controlPlane(flag: string, texts: readonly string[] | undefined) {
    return this.list(flag, texts)?.flatMap((text) => {
      const parsed = parseHostPort(text);
      if (parsed !== undefined && /^[\d.]+$|:/.test(parsed.host)) return { address: parsed.host, port: parsed.port };
      this.#fault(flag, `"${text}" must be IP:PORT: rules cannot follow a name`);
      return [];
    });
  }

  #number(flag: string, text: string, sentence: string): number {
    if (/^\d{1,10}$/.test(text)) return Number(text);
    this.#fault(flag, `${sentence}; it is "${text}"`);
    return 1;
  }

  #fault(flag: string, sentence: string): void {
    this.faults.push(`${flag}: ${sentence}`);
  }
}

function allOr<Item>(text: string | undefined, toItems: (texts: string[]) => Item[] | undefined) {
  if (text === undefined || text === 'all') return text;
  return text === 'none' ? [] : toItems([text]);
}

function one(name: string, description: string): Option {
  return new Option(name, description);
}

function list(name: string, description: string): Option {
  return one(name, description).argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
}
