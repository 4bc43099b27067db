/** Requests by listener, by cluster and by rule, as metrics. Labels are bounded, as the counters behind them are. */
import { parseClusterName, serviceKey } from '../../model/names.ts';
import type { Counters } from '../telemetry/counter.ts';
import type { ClusterCounters } from '../telemetry/route-counters.ts';
import type { ListenerTraffic } from '../telemetry/statistics.ts';
import { servicesOfRedirects } from '../view/rules-in-view.ts';
import type { AgentReport } from './agent-report.ts';
import {
  counter,
  type DurationSample,
  type Family,
  gauge,
  histogram,
  type Labels,
  type Sample,
} from './prometheus-text.ts';

export function trafficFamilies({ traffic, view }: Pick<AgentReport, 'traffic' | 'view'>): Family[] {
  const redirects = servicesOfRedirects(view);
  const listeners = Object.entries(traffic).map(([listener, of]) => ({ labels: { listener }, of }));
  const clusters = listeners.flatMap(({ labels, of }) =>
    Object.entries(of.clusters)
      .filter(([cluster]) => cluster !== '')
      .map(([cluster, counters]) => ({ labels: { ...labels, cluster }, of: counters })),
  );
  const rules = listeners.flatMap(({ labels, of }) =>
    Object.entries(of.clusters).flatMap((entry) => rulesOf(labels, entry, redirects)),
  );
  return [...listenerFamilies(listeners), ...clusterFamilies(clusters), ...ruleFamilies(rules)];
}

/** Numbers and what they are of. */
interface Labelled<Of> {
  readonly labels: Labels;
  readonly of: Of;
}

function listenerFamilies(listeners: readonly Labelled<ListenerTraffic>[]): Family[] {
  return [
    counter('sluice_agent_requests_total', 'Requests that began.', each(listeners, 'requests')),
    gauge('sluice_agent_requests_active', 'Requests under way.', each(listeners, 'active')),
    counter('sluice_agent_responses_total', 'Answers passed on, by class of status.', by(listeners, 'passed', 'class')),
    counter('sluice_agent_local_answers_total', 'Answers the agent made itself.', by(listeners, 'refused', 'reason')),
    counter('sluice_agent_broken_off_total', 'Answers that broke off after their head.', each(listeners, 'brokenOff')),
    counter('sluice_agent_client_gone_total', 'Requests whose client went first.', each(listeners, 'clientGone')),
    counter('sluice_agent_attempts_total', 'Further attempts, by cause.', by(listeners, 'attempts', 'cause')),
    counter('sluice_agent_mirrored_requests_total', 'Copies of requests.', by(listeners, 'mirrors', 'outcome')),
    counter('sluice_agent_request_bytes_total', 'Bytes of requests that ended.', each(listeners, 'bytesIn')),
    counter('sluice_agent_response_bytes_total', 'Bytes of their answers.', each(listeners, 'bytesOut')),
    histogram('sluice_agent_request_duration_seconds', 'How long requests took.', durations(listeners)),
    gauge('sluice_agent_connections', 'Connections of clients.', each(listeners, 'openConnections')),
    counter('sluice_agent_connections_total', 'Connections of clients.', by(listeners, 'connections', 'outcome')),
  ];
}

function clusterFamilies(clusters: readonly Labelled<ClusterCounters>[]): Family[] {
  return [
    counter('sluice_agent_cluster_requests_total', 'Requests for a cluster.', each(clusters, 'requests')),
    counter('sluice_agent_cluster_attempts_total', 'Further attempts, by cause.', by(clusters, 'attempts', 'cause')),
    counter('sluice_agent_cluster_request_bytes_total', 'Bytes of requests that ended.', each(clusters, 'bytesIn')),
    counter('sluice_agent_cluster_response_bytes_total', 'Bytes of their answers.', each(clusters, 'bytesOut')),
    histogram('sluice_agent_cluster_request_duration_seconds', 'How long requests took.', durations(clusters)),
  ];
}

function ruleFamilies(rules: readonly Labelled<Counters>[]): Family[] {
  const outcomes = rules.map(({ labels, of }) => ({ labels, of: { outcomes: outcomesOf(of) } }));
  return [
    counter(
      'sluice_agent_rule_requests_total',
      'Requests by rule and how they ended.',
      by(outcomes, 'outcomes', 'class'),
    ),
  ];
}

function rulesOf(
  labels: Labels,
  [cluster, { rules }]: readonly [cluster: string, counters: ClusterCounters],
  redirects: ReadonlyMap<string, string>,
): Labelled<Counters>[] {
  const name = parseClusterName(cluster);
  const serviceOf = (rule: string) =>
    name === undefined ? (redirects.get(rule) ?? '') : serviceKey(name.namespace, name.service);
  return Object.entries(rules).map(([rule, of]) => ({
    labels: { ...labels, cluster, service: serviceOf(rule), subset: name?.subset ?? '', rule },
    of,
  }));
}

/** What the client saw: a class of status, whoever answered, or no whole answer. */
function outcomesOf({ answered, brokenOff, clientGone }: Counters): Record<string, number> {
  return {
    ...answered,
    ...(brokenOff > 0 && { 'broken-off': brokenOff }),
    ...(clientGone > 0 && { 'client-gone': clientGone }),
  };
}

function each<Key extends string>(all: readonly Labelled<Readonly<Record<Key, number>>>[], key: Key): Sample[] {
  return all.map(({ labels, of }) => ({ labels, value: of[key] }));
}

function by<Key extends string>(
  all: readonly Labelled<Readonly<Record<Key, Readonly<Record<string, number>>>>>[],
  key: Key,
  label: string,
): Sample[] {
  return all.flatMap(({ labels, of }) =>
    Object.entries(of[key]).map(([text, value]) => ({ labels: { ...labels, [label]: text }, value })),
  );
}

function durations(all: readonly Labelled<Pick<Counters, 'durations'>>[]): DurationSample[] {
  return all.map(({ labels, of }) => ({ labels, durations: of.durations }));
}
