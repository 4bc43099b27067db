/** Every setting of an agent, and what is wrong with them together: `docs/agent.md` describes each for operators, and a test keeps it in step. */

import { isIP } from 'node:net';
import { z } from 'zod';
import { duration } from '../model/duration.ts';
import { dnsLabel, dnsName, labels } from '../model/name-schemas.ts';
import { isDnsName } from '../model/names.ts';
import { dialAddress, listenAddress } from '../process/address-settings.ts';
import type { UserAndGroup } from '../process/child.ts';
import { type HostPort, isLoopback, parseHostPort } from '../process/host-port.ts';
import { logLevels } from '../process/log-levels.ts';
import { listOf, namedValues, percentage, wholeNumber } from '../process/setting-kinds.ts';
import { type ForwardedHeader, forwardedHeaders, usualForwardedHeaders } from './proxy/forwarded.ts';

export const defaultInbound: HostPort = { host: '127.0.0.1', port: 15_006 };

/** More than any machine has use for: each has a memory of its own. */
const mostWorkers = 64;

/** `reviews:9080`, `reviews.prod`: a service as the application says it, with or without a port. */
const upstreamName = z.string().superRefine((text, context) => {
  const [host = '', port, ...rest] = text.split(':');
  const isPort = port === undefined || (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535);
  if (rest.length > 0 || !isPort || !dnsName.safeParse(host).success) {
    context.addIssue({ code: 'custom', message: 'must be SERVICE or SERVICE:PORT, such as reviews:9080' });
  }
});

/** `HOST` or `HOST:PORT`; an IP address, for that is what endpoints are. */
const advertised = z.string().transform((text, context) => {
  const alone = text.replace(/^\[(.*)\]$/, '$1');
  if (isIP(alone) !== 0) return { address: alone, port: undefined };
  const address = parseHostPort(text);
  if (address !== undefined && isIP(address.host) !== 0 && address.port > 0)
    return { address: address.host, port: address.port };
  context.addIssue({
    code: 'custom',
    message: 'must be an IP address, or one with a port: 10.0.0.7 or 10.0.0.7:15006',
  });
  return z.NEVER;
});

const portName = dnsLabel;
const advertisedPlace = dialAddress.refine(({ host }) => isIP(host) !== 0, 'must be an IP address and a port');

/** `none` alone, or names of headers. */
const forwarded = listOf(
  z.enum(['none', ...forwardedHeaders], `must be of ${forwardedHeaders.join(', ')}, or none`),
).transform((names, context): ForwardedHeader[] => {
  const headers = names.filter((name) => name !== 'none');
  if (headers.length > 0 && headers.length < names.length) {
    context.addIssue({ code: 'custom', message: 'is "none" and a header: it is one or the other' });
  }
  return [...new Set(headers)];
});

/** The kernel keeps 4294967295 for "no user". */
export const mostId = 4_294_967_294;

const userAndGroup = z.string().transform((text, context): UserAndGroup => {
  const [, uid = '', gid = uid] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  if (uid !== '' && Number(uid) <= mostId && Number(gid) <= mostId) return { uid: Number(uid), gid: Number(gid) };
  context.addIssue({ code: 'custom', message: 'must be UID or UID:GID, in numbers' });
  return z.NEVER;
});

export const agentSettingsSchema = z
  .object({
    service: dnsLabel.meta({ placeholder: 'NAME', description: 'the service that this agent stands beside' }),
    version: z.string().optional().meta({ placeholder: 'VERSION', description: 'short for --label version=VERSION' }),
    label: namedValues({ name: z.string(), value: z.string(), nameless: 'refused' }).meta({
      placeholder: 'KEY=VALUE',
      description: 'a label of the instance, which subsets choose by',
      repeatable: true,
    }),
    namespace: dnsLabel.prefault('default').meta({ placeholder: 'NAME', description: 'the namespace of the service' }),
    zone: z
      .string()
      .max(253, 'is too long')
      .prefault('')
      .meta({ placeholder: 'ZONE', description: 'where the instance runs' }),
    id: z
      .string()
      .regex(
        /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/,
        'must be letters, digits, ".", "_" and "-", at most 253',
      )
      .optional()
      .meta({ placeholder: 'ID', description: 'unique in the namespace; HOSTNAME-SERVICE when not given' }),
    app: namedValues({ name: portName, value: dialAddress, nameless: 'accepted' }).meta({
      placeholder: '[NAME=]HOST:PORT',
      description:
        'where the application listens; several with the names of their ports; none: the agent is client only',
      repeatable: true,
    }),
    appAdvertise: namedValues({ name: portName, value: advertisedPlace, nameless: 'accepted' }).meta({
      placeholder: '[NAME=]IP:PORT',
      description: "the application's own address, for callers who leave its agent out; one per port of it",
      repeatable: true,
    }),
    server: listOf(dialAddress)
      .refine((list) => list.length > 0, 'must name at least one server')
      .prefault('127.0.0.1:15010')
      .meta({
        placeholder: 'HOST:PORT[,…]',
        description: 'the control plane: one or several replicas',
        repeatable: true,
      }),
    outbound: listenAddress
      .prefault('127.0.0.1:15001')
      .meta({ placeholder: 'HOST:PORT', description: 'where the application sends its requests' }),
    inbound: namedValues({ name: portName, value: listenAddress, nameless: 'accepted' }).meta({
      placeholder: '[NAME=]HOST:PORT',
      description: 'where requests to the application come in, one per port of it; 127.0.0.1:15006 for a single one',
      repeatable: true,
    }),
    admin: listenAddress.prefault('127.0.0.1:15000').meta({
      placeholder: 'HOST:PORT',
      description: '/ready, /stats, /clusters, /config_dump, /metrics, /explain, /drain',
    }),
    upstream: namedValues({ name: upstreamName, value: listenAddress, nameless: 'refused' }).meta({
      placeholder: 'SERVICE[:PORT]=HOST:PORT',
      description: 'a local port for one service',
      repeatable: true,
    }),
    advertise: advertised.optional().meta({
      placeholder: 'HOST[:PORT]',
      description: 'the address other agents dial; the inbound address when not given',
    }),
    stateDir: z.string().min(1, 'must be a directory').optional().meta({
      placeholder: 'DIR',
      description: 'where key and last-good are kept; ~/.local/state/sluice/NAMESPACE/ID',
    }),
    acceptMesh: z.string().optional().meta({
      placeholder: 'MESH-ID',
      description: 'obey this mesh in place of the one that the state directory holds',
    }),
    workers: wholeNumber(1, mostWorkers)
      .prefault('1')
      .meta({ placeholder: 'N', description: 'processes that share the ports and carry the requests' }),
    logLevel: z
      .enum(logLevels, `must be one of ${logLevels.join(', ')}`)
      .prefault('info')
      .meta({ placeholder: 'LEVEL', description: logLevels.join(', ') }),
    forwardedHeaders: forwarded.prefault(usualForwardedHeaders.join(',')).meta({
      placeholder: 'HEADER[,…]',
      description: `what tells where a request came from: of ${forwardedHeaders.join(', ')}; or none`,
      repeatable: true,
    }),
    accessLog: z.string().min(1, 'must be none, -, or a file').prefault('none').meta({
      placeholder: 'FILE',
      description: 'where a line of JSON is written for each request; - is standard output; none: nowhere',
    }),
    accessLogSample: percentage().prefault('100').meta({
      placeholder: 'PERCENT',
      description: 'how many of the requests have a line; those that failed always have one',
    }),
    accessLogSlow: duration.optional().meta({
      placeholder: 'DURATION',
      description: 'requests that took so long always have a line',
    }),
    intercept: z
      .enum(['none', 'iptables', 'nftables', 'external'], 'must be none, iptables, nftables or external')
      .prefault('none')
      .meta({
        placeholder: 'HOW',
        description:
          'packet rules bring the connections of this host here: iptables, nftables, external (others install them) or none',
      }),
    vipRange: z
      .cidrv4('must be an IPv4 range such as 240.240.0.0/16')
      .prefault('240.240.0.0/16')
      .meta({ placeholder: 'CIDR', description: "the server's --vip-range: what packet rules bring here in any case" }),
    runAs: userAndGroup.optional().meta({
      placeholder: 'UID[:GID]',
      description: 'who the application after -- runs as; with --intercept another user than the agent',
    }),
    dns: listenAddress.optional().meta({
      placeholder: 'HOST:PORT',
      description: 'where names of the mesh are resolved; 127.0.0.1:15053 with --intercept',
    }),
    domain: z
      .string()
      .transform((text) => text.toLowerCase())
      .refine(isDnsName, 'must be a DNS name')
      .prefault('mesh.local')
      .meta({ placeholder: 'NAME', description: "the server's --domain: suffix of full names" }),
  })
  .superRefine((given, context) => {
    for (const [path, message] of [...labelFaults(given), ...portFaults(given), ...addressFaults(given)]) {
      context.addIssue({ code: 'custom', path: [path], message });
    }
  });

/** As the schema reads them. */
export type GivenSettings = z.output<typeof agentSettingsSchema>;
type Fault = readonly [keyof GivenSettings, string];

export function labelsOf({ label, version }: GivenSettings): Record<string, string> {
  return { ...Object.fromEntries(label), ...(version !== undefined && { version }) };
}

/** With a single port of the application its inbound needs no name. */
export function inboundOf({ app, inbound, intercept }: GivenSettings, name: string): HostPort | undefined {
  const isForAll = app.size === 1 || intercept !== 'none';
  return inbound.get(name) ?? (isForAll ? inbound.get('') : undefined);
}

function labelFaults(given: GivenSettings): Fault[] {
  const byLabel = given.label.get('version');
  const faults: Fault[] = [];
  if (given.version !== undefined && byLabel !== undefined && byLabel !== given.version) {
    faults.push(['version', `is "${given.version}", but the label version is "${byLabel}"`]);
  }
  const parsed = labels.safeParse(labelsOf(given));
  for (const { path, message } of parsed.error?.issues ?? []) faults.push(['label', `${String(path[0])}: ${message}`]);
  return faults;
}

function portFaults(given: GivenSettings): Fault[] {
  const { app, inbound, advertise } = given;
  const faults: Fault[] = [];
  if (app.size > 1 && app.has('')) faults.push(['app', 'each of several ports needs its name: NAME=HOST:PORT']);
  if (app.size === 0 && inbound.size > 0)
    faults.push(['inbound', 'goes with --app: there is no application to pass requests to']);
  for (const name of app.size === 0 ? [] : inbound.keys()) {
    // Rules bring all that comes to one port, whatever it was for.
    if (given.intercept !== 'none' && name !== '') faults.push(['inbound', 'has no names of ports with --intercept']);
    if (given.intercept !== 'none' || app.has(name) || (name === '' && app.size === 1)) continue;
    faults.push([
      'inbound',
      name === '' ? 'needs the name of a port: NAME=HOST:PORT' : `--app has no port named "${name}"`,
    ]);
  }
  const isIntercepting = given.intercept !== 'none';
  for (const name of app.size > 1 && !isIntercepting ? app.keys() : []) {
    if (name !== '' && !inbound.has(name))
      faults.push(['inbound', `is missing for the port "${name}": ${name}=HOST:PORT`]);
  }
  const hosts = new Set([...app.keys()].flatMap((name) => inboundOf(given, name)?.host ?? []));
  if (hosts.size > 1 && advertise === undefined) {
    faults.push(['inbound', 'must all have the same host, or --advertise must be given: an instance has one address']);
  }
  const own = [...given.appAdvertise.values()];
  if (new Set(own.map(({ host }) => host)).size > 1) {
    faults.push(['appAdvertise', 'must have the same host for all ports: an application has one address']);
  }
  for (const name of given.appAdvertise.keys()) {
    if (!app.has(name) && !(name === '' && app.size === 1)) {
      faults.push([
        'appAdvertise',
        name === '' ? 'needs the name of a port: NAME=IP:PORT' : `--app has no port named "${name}"`,
      ]);
    }
  }
  if (advertise?.port !== undefined && app.size > 1) {
    faults.push([
      'advertise',
      'cannot have a port when the application has several: each is advertised with its inbound port',
    ]);
  }
  return faults;
}

/** Callers would be told to dial their own machine. */
function addressFaults(given: GivenSettings): Fault[] {
  const server = given.server.find(({ host }) => !isLoopback(host));
  if (given.advertise !== undefined || server === undefined) return [];
  const loopback = [...given.app.keys()]
    .flatMap((name) => inboundOf(given, name) ?? (given.intercept === 'none' ? [defaultInbound] : []))
    .find(({ host }) => isLoopback(host));
  if (loopback === undefined) return [];
  const message =
    `must be given: the inbound listens on ${loopback.host}, which other machines cannot dial, ` +
    `and the server ${server.host} is on another one. Or listen on 0.0.0.0: --inbound 0.0.0.0:${loopback.port}`;
  return [['advertise', message]];
}
