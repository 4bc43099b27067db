/** The agent's numbers in the text format that Prometheus reads. Pure: a report in, text out. */
import type { AgentReport } from './agent-report.ts';
import { clusterFamilies } from './cluster-metrics.ts';
import { dnsFamilies } from './dns-metrics.ts';
import { limitFamilies } from './limit-metrics.ts';
import { counter, type Family, gauge, renderFamilies, type Sample } from './prometheus-text.ts';
import { readinessOf } from './readiness.ts';
import { trafficFamilies } from './traffic-metrics.ts';

export { metricsContentType } from './prometheus-text.ts';

export function renderMetrics(report: AgentReport): string {
  return renderFamilies([[{}, [...agentFamilies(report), ...processFamilies(report)]]]);
}

/** Of several agents in one process, each with the label `entry`. */
export function renderEntryMetrics(reports: ReadonlyMap<string, AgentReport>): string {
  const [first] = reports.values();
  return renderFamilies([
    ...[...reports].map(([entry, report]) => [{ entry }, agentFamilies(report)] as const),
    [{}, first === undefined ? [] : processFamilies(first)],
  ]);
}

function agentFamilies(report: AgentReport): Family[] {
  return [
    ...trafficFamilies(report),
    ...limitFamilies(report),
    ...clusterFamilies(report),
    ...meshFamilies(report),
    ...dnsFamilies(report),
  ];
}

function meshFamilies(report: AgentReport): Family[] {
  const { held, swaps, names, controlPlane, lastGood, accessLog } = report;
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
    counter('sluice_agent_access_log_lines_total', 'Lines of the access log.', one(accessLog.written)),
    counter('sluice_agent_access_log_dropped_total', 'Lines that could not be written.', one(accessLog.dropped)),
    counter('sluice_agent_last_good_writes_total', 'Times last-good was written.', one(lastGood.writes)),
    counter('sluice_agent_last_good_failures_total', 'Times last-good could not be written.', one(lastGood.failures)),
  ];
}

function processFamilies({ memory, workers, droppedConnections }: AgentReport): Family[] {
  // An agent without workers carries its requests itself.
  const serving = workers.length === 0 ? 1 : workers.filter(({ state }) => state === 'serving').length;
  const restarts = workers.reduce((sum, worker) => sum + worker.restarts, 0);
  return [
    gauge('sluice_agent_workers', 'Processes that carry requests.', [{ value: serving }]),
    counter('sluice_agent_worker_restarts_total', 'Workers that ended and were replaced.', [{ value: restarts }]),
    counter('sluice_agent_dropped_connections_total', 'Closed because no worker took them.', [
      { value: droppedConnections },
    ]),
    gauge('process_resident_memory_bytes', 'Memory of all processes of the agent.', [{ value: memory.rss }]),
    gauge('nodejs_heap_used_bytes', 'JavaScript heap in use, of all of them.', [{ value: memory.heapUsed }]),
  ];
}
