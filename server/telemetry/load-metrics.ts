/** What clients report of their requests, for Prometheus. Labels are clusters that the mesh has, and what they are of. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { LoadTable } from '../load-reports/load-table.ts';

export function addLoadMetrics(registry: Registry, table: LoadTable): void {
  const registers = [registry];
  new Gauge({
    name: 'sluice_load_clients',
    help: 'Agents and clients that report their load.',
    registers,
    collect() {
      this.set(table.size);
    },
  });
  new Counter({
    name: 'sluice_load_reports_total',
    help: 'Load reports that were taken.',
    registers,
    collect() {
      this.reset();
      this.inc(table.reports);
    },
  });
  new Counter({
    name: 'sluice_load_dropped_total',
    help: 'What there was no room for: streams of clients, localities in reports.',
    labelNames: ['what'],
    registers,
    collect() {
      this.reset();
      for (const [what, count] of Object.entries(table.dropped)) this.inc({ what }, count);
    },
  });
  new Counter({
    name: 'sluice_load_requests_total',
    help: 'Requests that agents and clients report, by cluster and how they ended.',
    labelNames: ['cluster', 'result'],
    registers,
    collect() {
      this.reset();
      for (const [cluster, { successes, errors, drops }] of table.totals()) {
        this.inc({ cluster, result: 'success' }, successes);
        this.inc({ cluster, result: 'error' }, errors);
        this.inc({ cluster, result: 'dropped' }, drops);
      }
    },
  });
}
