/** Reads the text format of Prometheus as strictly as its documents are: what `promtool check metrics` would say is thrown. */

export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly type: string;
  readonly samples: readonly ReadSample[];
}

const headPattern = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)\n# TYPE (\S+) (counter|gauge|histogram)\n/;
const samplePattern = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;
const labelPattern = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,(?=[a-zA-Z_])|$)/;

/** By name, in their order. */
export function readPrometheus(text: string): Map<string, ReadFamily> {
  const families = new Map<string, ReadFamily>();
  const seen = new Set<string>();
  for (let rest = text; rest !== ''; ) {
    const [head, name = '', , typed, type = ''] = headPattern.exec(rest) ?? [];
    assert(
      head !== undefined && name === typed,
      `no HELP and TYPE of one family: ${JSON.stringify(rest.slice(0, 80))}`,
    );
    assert(!families.has(name), `${name} comes twice`);
    assert((type === 'counter') === name.endsWith('_total'), `${name} is a ${type}`);
    rest = rest.slice(head.length);
    const end = rest.startsWith('# ') ? 0 : rest.indexOf('\n# ') + 1;
    const body = end > 0 || rest.startsWith('# ') ? rest.slice(0, end) : rest;
    assert(body === '' || body.endsWith('\n'), `${name} does not end its last line`);
    const samples = body.split('\n').slice(0, -1).map(readSample);
    for (const sample of samples) {
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      assert(!seen.has(key), `twice: ${key}`);
      seen.add(key);
    }
    if (type === 'histogram') assertHistogram(name, samples);
    else
      assert(
        samples.every((sample) => sample.name === name),
        `a stranger in ${name}`,
      );
    families.set(name, { type, samples });
    rest = rest.slice(body.length);
  }
  return families;
}

function readSample(line: string): ReadSample {
  const [, name = '', text = '', value = ''] = samplePattern.exec(line) ?? [];
  assert(name !== '', `no sample: ${JSON.stringify(line)}`);
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ''; ) {
    const [all, label = '', escaped = ''] = labelPattern.exec(rest) ?? [];
    assert(all !== undefined && !(label in labels), `no labels: ${JSON.stringify(line)}`);
    labels[label] = escaped.replace(/\\(.)/g, (_, octet: string) => (octet === 'n' ? '\n' : octet));
    rest = rest.slice(all.length);
  }
  return { name, labels, value: value === 'Inf' ? Number.POSITIVE_INFINITY : Number(value) };
}

function assertHistogram(name: string, samples: readonly ReadSample[]): void {
  const series = new Map<string, ReadSample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  for (const [key, of] of series) {
    const buckets = of.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => (labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)));
    const [sum, count, ...more] = of.slice(buckets.length).map((sample) => sample.name);
    assert(sum === `${name}_sum` && count === `${name}_count` && more.length === 0, `${name} ${key}: no sum and count`);
    assert(isAscending(bounds, 'strictly') && bounds.at(-1) === Number.POSITIVE_INFINITY, `${name} ${key}: its bounds`);
    assert(isAscending(buckets.map(({ value }) => value)), `${name} ${key}: its buckets do not add up`);
    assert(buckets.at(-1)?.value === of.at(-1)?.value, `${name} ${key}: its count is another`);
  }
}

function isAscending(numbers: readonly number[], how?: 'strictly'): boolean {
  return numbers.slice(1).every((number, index) => {
    const before = numbers[index] ?? Number.NaN;
    return how === 'strictly' ? number > before : number >= before;
  });
}

function assert(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Error(sentence);
}
