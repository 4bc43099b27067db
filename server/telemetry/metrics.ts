/** What the server counts, for Prometheus. Labels are bounded: states and codes, never names of agents. */
import { Counter, collectDefaultMetrics, Gauge, Registry as MetricsRegistry } from 'prom-client';
import { typeUrls } from '../../proto/type-urls.ts';
import type { ControlPlane } from '../control-plane.ts';
import { agentState } from '../status/agent-record.ts';
import { addLoadMetrics } from './load-metrics.ts';

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  countAnswer(method: string, status: number): void;
  /** `client`: what kind of client refuses something of these types. */
  countRefusal(client: string, resources: readonly { readonly typeUrl: string }[]): void;
  /** A client did something that no good client does. */
  countOddity(what: string): void;
  /** A gRPC stream that this server ended; `code` is the name of its status. */
  countEnd(code: string): void;
  /** A connection to the gRPC port was cut. */
  countBroken(): void;
}

/** 'Cluster' and so on; 'other' for what is no type of ours, and for nothing. */
function typesIn(resources: readonly { readonly typeUrl: string }[]): Set<string> {
  const served = new Set<string>(Object.values(typeUrls));
  const names = resources.map(({ typeUrl }) =>
    served.has(typeUrl) ? typeUrl.slice(typeUrl.lastIndexOf('.') + 1) : 'other',
  );
  return new Set(names.length > 0 ? names : ['other']);
}

/** 'agent', 'grpc' or 'envoy', of the kind that a record has: a user agent, when it is a foreign client's. */
function kindOf(client: string): string {
  if (client === 'agent') return client;
  return /^grpc/i.test(client) ? 'grpc' : 'envoy';
}

export function createMetrics(plane: ControlPlane): Metrics {
  const registry = new MetricsRegistry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  addLoadMetrics(registry, plane.loads);
  gauge('sluice_revision', 'Newest revision of the rules.', () => plane.rules.revision);
  gauge('sluice_instances', 'Registered instances.', () => plane.registry.size);
  gauge('sluice_services', 'Services that are served.', () => [...plane.cache.services()].length);
  gauge('sluice_xds_streams', 'Connected xDS streams.', () => plane.ads.streams.size);
  gauge('sluice_push_queue', 'Streams that wait to be sent to.', () => plane.ads.queueLength);
  gauge('sluice_self_preservation', '1 while expired instances are kept.', () => Number(plane.registry.isPreserving));
  new Gauge({
    name: 'sluice_agents',
    help: 'Known agents by state.',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      for (const agent of plane.directory.records()) this.inc({ state: agentState(agent) });
    },
  });
  const answers = new Counter({
    name: 'sluice_http_answers_total',
    help: 'Answers of the REST API.',
    labelNames: ['method', 'status'],
    registers,
  });
  const refusals = new Counter({
    name: 'sluice_xds_refusals_total',
    help: 'Refusals (NACKs) of agents and foreign clients, by the types of what is refused.',
    labelNames: ['client', 'type'],
    registers,
  });
  const oddities = new Counter({
    name: 'sluice_xds_oddities_total',
    help: 'What clients did that no good client does, and that was passed over.',
    labelNames: ['what'],
    registers,
  });
  const ends = new Counter({
    name: 'sluice_grpc_ended_streams_total',
    help: 'Streams of agents and clients that this server ended, by gRPC status.',
    labelNames: ['code'],
    registers,
  });
  const broken = new Counter({
    name: 'sluice_grpc_broken_connections_total',
    help: 'Connections to the gRPC port that were cut, for what came on them is no HTTP/2.',
    registers,
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    countAnswer: (method, status) => answers.inc({ method, status }),
    countRefusal: (client, resources) => {
      for (const type of typesIn(resources)) refusals.inc({ client: kindOf(client), type });
    },
    countOddity: (what) => oddities.inc({ what }),
    countEnd: (code) => ends.inc({ code }),
    countBroken: () => broken.inc(),
  };

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
}
