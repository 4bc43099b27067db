/** The agent's numbers in the text format that Prometheus reads. Pure: a report in, text out. */
import type { AgentReport } from './agent-report.ts';
import { readinessOf } from './readiness.ts';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

export function renderMetrics(report: AgentReport): string {
  return [...trafficFamilies(report), ...meshFamilies(report), ...processFamilies(report)].map(render).join('');
}

function trafficFamilies({ traffic }: AgentReport): Family[] {
  const listeners = Object.entries(traffic);
  const by = <Key extends string>(key: Key, pick: (of: AgentReport['traffic'][string]) => object): Sample[] =>
    listeners.flatMap(([listener, snapshot]) =>
      Object.entries(pick(snapshot)).map(([value, count]) => ({
        labels: { listener, [key]: value },
        value: Number(count),
      })),
    );
  const each = (pick: (of: AgentReport['traffic'][string]) => number): Sample[] =>
    listeners.map(([listener, snapshot]) => ({ labels: { listener }, value: pick(snapshot) }));
  const clusterRequests = listeners.flatMap(([listener, { clusters }]) =>
    Object.entries(clusters).map(([cluster, { requests }]) => ({ labels: { listener, cluster }, value: requests })),
  );
  return [
    counter(
      'sluice_agent_requests_total',
      'Requests that began.',
      each(({ requests }) => requests),
    ),
    gauge(
      'sluice_agent_requests_active',
      'Requests under way.',
      each(({ active }) => active),
    ),
    counter(
      'sluice_agent_responses_total',
      'Answers passed on, by class of status.',
      by('class', ({ passed }) => passed),
    ),
    counter(
      'sluice_agent_local_answers_total',
      'Answers the agent made itself.',
      by('reason', ({ refused }) => refused),
    ),
    counter(
      'sluice_agent_broken_off_total',
      'Answers that broke off after their head.',
      each(({ brokenOff }) => brokenOff),
    ),
    counter(
      'sluice_agent_client_gone_total',
      'Requests whose client went first.',
      each(({ clientGone }) => clientGone),
    ),
    counter(
      'sluice_agent_attempts_total',
      'Further attempts, by cause.',
      by('cause', ({ attempts }) => attempts),
    ),
    counter('sluice_agent_cluster_requests_total', 'Requests sent to a cluster.', clusterRequests),
  ];
}

function meshFamilies(report: AgentReport): Family[] {
  const { held, swaps, names, controlPlane, lastGood } = report;
  const { ready, stale } = readinessOf(report);
  const one = (value: number | boolean): Sample[] => [{ value: Number(value) }];
  return [
    gauge('sluice_agent_ready', '1 when /ready says so.', one(ready)),
    gauge('sluice_agent_stale', '1 while routing by the last run.', one(stale)),
    gauge('sluice_agent_connected', '1 while registered with a server.', one(controlPlane.server !== undefined)),
    gauge('sluice_agent_revision', 'The revision in use.', one(held.revision)),
    gauge('sluice_agent_names', 'Names subscribed to.', one(names.length)),
    counter('sluice_agent_swaps_total', 'Commit marks applied.', one(swaps)),
    counter('sluice_agent_nacks_total', 'Commit marks refused.', one(controlPlane.nacks)),
    counter('sluice_agent_registrations_total', 'Registrations acknowledged.', one(controlPlane.registrations)),
    counter('sluice_agent_disconnections_total', 'Connections that ended or failed.', one(controlPlane.disconnections)),
    counter('sluice_agent_last_good_writes_total', 'Times last-good was written.', one(lastGood.writes)),
    counter('sluice_agent_last_good_failures_total', 'Times last-good could not be written.', one(lastGood.failures)),
  ];
}

function processFamilies({ memory, workers }: AgentReport): Family[] {
  // An agent without workers carries its requests itself.
  const serving = workers.length === 0 ? 1 : workers.filter(({ state }) => state === 'serving').length;
  const restarts = workers.reduce((sum, worker) => sum + worker.restarts, 0);
  return [
    gauge('sluice_agent_workers', 'Processes that carry requests.', [{ value: serving }]),
    counter('sluice_agent_worker_restarts_total', 'Workers that ended and were replaced.', [{ value: restarts }]),
    gauge('process_resident_memory_bytes', 'Memory of all processes of the agent.', [{ value: memory.rss }]),
    gauge('nodejs_heap_used_bytes', 'JavaScript heap in use, of all of them.', [{ value: memory.heapUsed }]),
  ];
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'counter', help, samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'gauge', help, samples };
}

function render({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
