/** What an agent is told, complete: `config.ts` makes it of flags, environment and file. */
import type { UserAndGroup } from '../process/child.ts';
import type { HostPort } from '../process/host-port.ts';
import type { LogLevel } from '../process/log-levels.ts';
import type { ForwardedHeader } from './proxy/forwarded.ts';

/** A port of the application, and where the agent takes its requests. */
export interface AppPort {
  /** '' for the only one that has no name. */
  readonly name: string;
  readonly app: HostPort;
  readonly inbound: HostPort;
}

/** A port of the application as callers reach it who leave the agent out. */
export interface ListeningApp {
  readonly name: string;
  readonly address: HostPort;
}

/** A local port for one service. */
export interface Upstream {
  /** Name of the service as the application would say it, lower case. */
  readonly host: string;
  /** Undefined: the service's first port. */
  readonly port: number | undefined;
  readonly listen: HostPort;
}

export interface AgentSettings {
  readonly service: string;
  readonly namespace: string;
  readonly id: string;
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty for an agent without application. */
  readonly appPorts: readonly AppPort[];
  readonly servers: readonly HostPort[];
  readonly outbound: HostPort;
  readonly admin: HostPort;
  readonly upstreams: readonly Upstream[];
  /** What other agents dial; undefined: where the inbound listens. The port is undefined when it is the inbound's. */
  readonly advertise: { readonly address: string; readonly port: number | undefined } | undefined;
  /** Where the application itself is dialled, by the names of its ports; empty: nobody is told. */
  readonly appAdvertise: readonly ListeningApp[];
  readonly stateDir: string;
  readonly acceptMesh: string | undefined;
  /** Processes that carry requests; 1: the agent's only one. */
  readonly workers: number;
  readonly logLevel: LogLevel;
  /** What the application is told of where a request came from; `via` goes with requests that leave as well. */
  readonly forwardedHeaders: readonly ForwardedHeader[];
  /** Undefined: none is written. */
  readonly accessLog: AccessLogSettings | undefined;
  /** Undefined: applications come by themselves. */
  readonly interception: InterceptionSettings | undefined;
  /** Who the application runs as; undefined: the user that the agent runs as. */
  readonly runAs: UserAndGroup | undefined;
  /** Undefined: no names are resolved. */
  readonly dns: DnsSettings | undefined;
  /** Of an application that has to leave something to others; absent: none of its own. */
  readonly limits?: ClientLimits;
}

/** One of the applications of a shared agent: everything that an agent of its own would be told. */
export interface EntrySettings extends AgentSettings {
  /** Whose connections packet rules bring to this entry: processes of any of these users or groups. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly limits: ClientLimits;
}

/** Several applications on one host. */
export interface SharedSettings {
  readonly admin: HostPort;
  readonly logLevel: LogLevel;
  /** Ids differ. */
  readonly entries: readonly EntrySettings[];
}

/** What there may be at the same time: what leaves an application is counted apart from what comes to it. */
export interface ClientLimits {
  /** Of clients. Those beyond it are closed. */
  readonly maxConnections: number;
  /** Under way, connections to TCP services among them. Those beyond it are refused. */
  readonly maxRequests: number;
  /** Of them those that wait for a connection to an instance. */
  readonly maxPendingRequests: number;
}

export interface DnsSettings {
  readonly listen: HostPort;
  /** Suffix of full names: "mesh.local". */
  readonly domain: string;
  /** Of virtual IPs: "240.240.0.0/16". */
  readonly vipRange: string;
}

export interface InterceptionSettings {
  /** `external`: somebody else puts the rules in place, such as `sluice intercept install`. */
  readonly backend: 'iptables' | 'nftables' | 'external';
  /** Of virtual IPs: "240.240.0.0/16". */
  readonly vipRange: string;
}

export interface AccessLogSettings {
  /** A file, or `-` for standard output. */
  readonly path: string;
  /** 0 to 100. */
  readonly samplePercent: number;
  readonly slowMs: number | undefined;
  /** Which of the entries of a shared agent writes: they may write to one file. */
  readonly entry?: string;
}
