/** The text format that Prometheus reads, version 0.0.4. */
import { type Durations, durationBounds } from '../telemetry/histogram.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** Durations in seconds, by their labels. */
export interface DurationSample {
  readonly labels: Labels;
  readonly durations: Durations;
}

export type Family = { readonly name: string; readonly help: string } & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | { readonly type: 'histogram'; readonly samples: readonly DurationSample[] }
);

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

export function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'counter', help, samples };
}

export function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'gauge', help, samples };
}

export function histogram(name: string, help: string, samples: readonly DurationSample[]): Family {
  return { name, type: 'histogram', help, samples };
}

export function renderFamily(family: Family): string {
  return renderFamilies([[{}, [family]]]);
}

/** Families with labels that all their samples have before their own; those of one name become one. */
export function renderFamilies(all: readonly (readonly [labels: Labels, families: readonly Family[]])[]): string {
  const texts = new Map<string, string[]>();
  for (const [labels, families] of all) {
    for (const family of families) {
      const { name, type, help } = family;
      const lines = texts.get(name) ?? [`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`];
      lines.push(...samplesOf(family, labels));
      texts.set(name, lines);
    }
  }
  return [...texts.values()].flat().join('');
}

function samplesOf(family: Family, common: Labels): string[] {
  const { name } = family;
  if (family.type !== 'histogram') {
    return family.samples.map(({ labels, value }) => renderSample(name, { ...common, ...labels }, value));
  }
  return family.samples.flatMap(({ labels, durations }) =>
    renderDurations(name, { labels: { ...common, ...labels }, durations }),
  );
}

/** Each bucket counts all that are not longer than its bound, those of the buckets before included. */
function renderDurations(name: string, { labels, durations }: DurationSample): string[] {
  let sum = 0;
  const buckets = durations.buckets.map((count, index) => {
    sum += count;
    return renderSample(`${name}_bucket`, { ...labels, le: String(durationBounds[index] ?? '+Inf') }, sum);
  });
  return [
    ...buckets,
    renderSample(`${name}_sum`, labels, durations.sum),
    renderSample(`${name}_count`, labels, durations.count),
  ];
}

function renderSample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
