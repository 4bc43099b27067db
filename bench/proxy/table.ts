/** Results as tables for people: each peer, and how ours compares with it in the same rounds. */
import { median } from '../support/figures.ts';
import type { Result } from './measure.ts';
import type { Outcome, Scenario } from './scenarios/scenario.ts';

type Figure<Sample> = (sample: Sample) => number;

export function medianOf<Sample>({ samples }: Result<Sample>, figure: Figure<Sample>): number {
  return median(samples.map(figure));
}

/** How many times a figure of one peer ours is, as text; '' for ours itself. */
export type RatioTo<Sample> = (figure: Figure<Sample>) => string;

/**
 * A row a peer: its name, the cells, and in place of the cells why there are none. `cost` is what ours is compared by;
 * ratios are medians of those of each round, since a round sees one and the same machine.
 */
export function outcomeOf<Sample>(
  results: readonly Result<Sample>[],
  cost: Figure<Sample>,
  cells: (result: Result<Sample>, ratioTo: RatioTo<Sample>) => Record<string, string>,
): Outcome {
  const ours = results.find(({ peer }) => peer === 'Sluice');
  const ratios = new Map<string, number>();
  const rows = results.map((result) => {
    const ratioTo = (figure: Figure<Sample>) => (ours && ours !== result ? ratioOf(ours, result, figure) : Number.NaN);
    const ratio = ratioTo(cost);
    if (!Number.isNaN(ratio)) ratios.set(result.peer, ratio);
    const values = result.samples.length > 0 ? cells(result, (figure) => formatRatio(ratioTo(figure))) : {};
    return { proxy: result.peer, ...values, ...(result.fault !== undefined && { failed: result.fault }) };
  });
  return { rows: sameColumns(rows), ratios };
}

/** What it all comes to: by scenario, how many times the CPU time of each peer ours is. */
export function summaryOf(outcomes: readonly { readonly scenario: Scenario; readonly outcome: Outcome }[]) {
  const peers = [...new Set(outcomes.flatMap(({ outcome }) => [...outcome.ratios.keys()]))];
  return outcomes
    .filter(({ outcome }) => outcome.ratios.size > 0)
    .map(({ scenario, outcome }) => ({
      'CPU, Sluice to': scenario.what,
      ...Object.fromEntries(peers.map((peer) => [peer, formatRatio(outcome.ratios.get(peer) ?? Number.NaN)])),
    }));
}

export const microseconds = (value: number) => `${value.toFixed(1)} µs`;
export const milliseconds = (value: number) => `${value.toFixed(2)} ms`;
export const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MB`;

/** `busy`: below 0.9 the proxy was not the limit, and the rate is no figure of it. */
export const rate = (value: number, busy: number) =>
  `${value.toFixed(0)}${busy < 0.9 ? ` (${(busy * 100).toFixed(0)} % busy)` : ''}`;

const formatRatio = (ratio: number) => (Number.isNaN(ratio) ? '' : ratio.toFixed(2));

function ratioOf<Sample>(ours: Result<Sample>, its: Result<Sample>, cost: Figure<Sample>): number {
  const pairs = ours.samples.flatMap((sample, round) => {
    const other = its.samples[round];
    return other === undefined ? [] : [cost(sample) / cost(other)];
  });
  return median(pairs);
}

/** The first row says which columns there are. */
function sameColumns(rows: readonly Record<string, string>[]): Record<string, string>[] {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column] ?? ''])));
}
