/** What an agent of one application is told: by flags, environment and file, with what follows of it. */
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { durationMs } from '../model/duration.ts';
import type { Problem } from '../model/problem.ts';
import type { HostPort } from '../process/host-port.ts';
import { loadSettings, type SettingsSources } from '../process/settings.ts';
import type { AccessLogSettings, AgentSettings, DnsSettings, Upstream } from './agent-settings.ts';
import { agentSettingsSchema, defaultInbound, type GivenSettings, inboundOf, labelsOf } from './settings-schema.ts';

/** What defaults are made of. */
export interface Machine {
  readonly hostname: string;
  readonly home: string;
  /** Of this process; undefined where there are no users. */
  readonly uid?: number | undefined;
}

export function thisMachine(): Machine {
  return { hostname: hostname(), home: homedir(), uid: process.getuid?.() };
}

/** Ports that an application has unless something else is said. */
export interface DefaultPorts {
  readonly inbound: number;
  /** While its connections are intercepted; undefined: then no names are resolved either. */
  readonly dns: number | undefined;
}

const defaultPorts: DefaultPorts = { inbound: defaultInbound.port, dns: 15_053 };

/** Everything an agent is told, or all that is wrong with it. */
export function loadAgentSettings(
  sources: SettingsSources,
  machine: Machine = thisMachine(),
): { readonly settings: AgentSettings } | { readonly problems: readonly Problem[] } {
  const loaded = loadSettings(agentSettingsSchema, sources);
  if ('problems' in loaded) return loaded;
  const stateBase = stateBaseOf(sources, machine);
  return { settings: completeSettings(loaded.settings, { machine, stateBase, ports: defaultPorts }) };
}

/** Where agents have their state directories. */
export function stateBaseOf({ environment }: SettingsSources, { home }: Machine): string {
  return join(environment.XDG_STATE_HOME || join(home, '.local', 'state'), 'sluice');
}

export interface Defaults {
  readonly machine: Machine;
  readonly stateBase: string;
  readonly ports: DefaultPorts;
}

export function completeSettings(given: GivenSettings, { machine, stateBase, ports }: Defaults): AgentSettings {
  const { service, namespace, zone, outbound, admin, advertise, acceptMesh, workers, logLevel, forwardedHeaders } =
    given;
  const id = given.id ?? `${machine.hostname.replace(/[^A-Za-z0-9.-]/g, '-')}-${service}`;
  const interception = given.intercept === 'none' ? undefined : { backend: given.intercept, vipRange: given.vipRange };
  const inboundByDefault = { host: interception === undefined ? defaultInbound.host : '0.0.0.0', port: ports.inbound };
  return {
    service,
    namespace,
    id,
    zone,
    labels: labelsOf(given),
    appPorts: [...given.app].map(([name, app]) => ({
      name,
      app,
      inbound: inboundOf(given, name) ?? inboundByDefault,
    })),
    interception,
    runAs: given.runAs,
    dns: dnsOf(given, ports.dns),
    servers: given.server,
    outbound,
    admin,
    upstreams: [...given.upstream].map(([text, listen]) => upstreamOf(text, listen)),
    advertise,
    appAdvertise: [...given.appAdvertise].map(([name, address]) => ({ name, address })),
    stateDir: given.stateDir ?? join(stateBase, namespace, id),
    acceptMesh,
    workers,
    logLevel,
    forwardedHeaders,
    accessLog: accessLogOf(given),
  };
}

function dnsOf({ dns, intercept, domain, vipRange }: GivenSettings, port: number | undefined): DnsSettings | undefined {
  const intercepted = intercept === 'none' || port === undefined ? undefined : { host: '127.0.0.1', port };
  const listen = dns ?? intercepted;
  return listen && { listen, domain, vipRange };
}

function accessLogOf({ accessLog, accessLogSample, accessLogSlow }: GivenSettings): AccessLogSettings | undefined {
  if (accessLog === 'none') return undefined;
  const slowMs = accessLogSlow === undefined ? undefined : durationMs(accessLogSlow);
  return { path: accessLog, samplePercent: accessLogSample, slowMs };
}

function upstreamOf(text: string, listen: HostPort): Upstream {
  const [host = '', port] = text.toLowerCase().split(':');
  return { host, port: port === undefined ? undefined : Number(port), listen };
}
