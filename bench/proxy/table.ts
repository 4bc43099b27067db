/** Figures as tables for people: each peer, and how ours compares with it in the same run. */
import { printTable } from '../support/figures.ts';
import type { Figures } from './measure.ts';
import type { Scenario } from './scenarios.ts';

export function printFigures({ name, what }: Scenario, figures: readonly Figures[]): void {
  const ours = figures.find(({ peer }) => peer === 'Sluice');
  const ratio = (of: Figures, key: 'cpuUs' | 'pacedCpuUs' | 'p99Ms') =>
    ours && of !== ours ? (ours[key] / of[key]).toFixed(2) : '';
  printTable(
    `\`${name}\`: ${what}`,
    figures.map((each) => ({
      proxy: each.peer,
      'CPU per request': us(each.cpuUs),
      'Sluice to it': ratio(each, 'cpuUs'),
      'requests/s': `${each.requestsPerSecond.toFixed(0)}${each.busy < 0.9 ? ` (${(each.busy * 100).toFixed(0)} % busy)` : ''}`,
      'CPU at half': us(each.pacedCpuUs),
      'p50 at half': `${each.p50Ms.toFixed(2)} ms`,
      'p99 at half': `${each.p99Ms.toFixed(2)} ms`,
      'memory idle': mb(each.idleRssBytes),
      'under load': mb(each.rssBytes),
    })),
  );
}

const us = (value: number) => `${value.toFixed(1)} µs`;
const mb = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MB`;
