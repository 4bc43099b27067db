/**
 * Holds the access log of the caller's agent against what clients have sent and seen, and against the rules that were in
 * force: request by request, and for the splits after each revision.
 */
import { type AccessLogLine, AccessLogReader } from '../access-log.ts';
import type { Load } from './load.ts';
import { idOf, requestOf } from './requests.ts';
import { type Instance, isOf, isSplit, type Rule, type Rules, ruleFor, ruleNames } from './rules.ts';

export interface Evidence {
  readonly file: string;
  readonly load: Load;
  readonly instances: readonly Instance[];
  /** In ascending order of revisions: all that were in force, and the first before the load. */
  readonly inForce: readonly { readonly revision: number; readonly rules: Rules }[];
}

export interface Verdict {
  /** Sentences; the first of them. */
  readonly faults: readonly string[];
  /** Requests that splits were counted with, and after how many revisions each rule's was looked at. */
  readonly splitRequests: number;
  readonly splitsLookedAt: number;
  /** How far the worst split was off, in requests. */
  readonly worst: number;
}

const mostFaults = 20;

export async function judge(evidence: Evidence): Promise<Verdict> {
  const judgement = new Judgement(evidence);
  for await (const line of new AccessLogReader(evidence.file).more()) judgement.see(line);
  return judgement.end();
}

class Judgement {
  readonly #evidence: Evidence;
  readonly #rulesAt: ReadonlyMap<number, Rules>;
  readonly #instances: ReadonlyMap<string, Instance>;
  readonly #faults: string[] = [];
  readonly #linesOf: Uint8Array;
  /** Requests by `REVISION RULE`, then by subset. */
  readonly #split = new Map<string, Map<string, number>>();
  /** Requests of a revision without a Route, by instance. */
  readonly #turns = new Map<number, Map<string, number>>();
  /** Which subset a user was sent to, by `REVISION RULE USER`. */
  readonly #sticky = new Map<string, string>();
  #splitRequests = 0;
  #splitsLookedAt = 0;
  #worst = 0;

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    this.#rulesAt = new Map(evidence.inForce.map(({ revision, rules }) => [revision, rules]));
    this.#instances = new Map(evidence.instances.map((instance) => [instance.id, instance]));
    this.#linesOf = new Uint8Array(evidence.load.sent);
  }

  see(line: AccessLogLine): void {
    const id = idOf(line.path);
    if (line.listener !== 'outbound' || !(id < this.#linesOf.length))
      return this.#fault(`of no request: ${show(line)}`);
    this.#linesOf[id] = (this.#linesOf[id] ?? 0) + 1;
    const revision = line.revision ?? -1;
    const rules = this.#rulesAt.get(revision);
    if (rules === undefined) return this.#fault(`by a revision that there was not: ${show(line)}`);
    const { asked, told, path, instance, known } = this.#evidence.load.answer(id);
    const rule = ruleFor(rules, requestOf(id));
    if (revision < known) this.#fault(`sent when revision ${known} was applied, routed by an older one: ${show(line)}`);
    const seen = {
      rule: line.rule,
      instance: line.instance,
      asked,
      told,
      path,
      status: line.status,
      reason: line.reason,
      attempts: line.attempts,
    };
    const expected = {
      rule: rule === undefined ? null : `reviews/${rule.name}`,
      instance: instance ?? null,
      asked: rule?.asked ?? 0,
      told: rule?.told ?? 0,
      path: rule?.rewrites === true ? 'rewritten' : 'as sent',
      status: 200,
      reason: null,
      attempts: 1,
    };
    if (JSON.stringify(seen) !== JSON.stringify(expected)) {
      this.#fault(`expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}: ${show(line)}`);
    }
    this.#checkTarget(line, rules, rule);
    this.#count(line, revision, rule);
  }

  end(): Verdict {
    this.#linesOf.forEach((lines, id) => {
      if (lines !== 1) this.#fault(`request ${id} has ${lines} lines`);
    });
    for (const name of ruleNames) this.#checkSplits(name);
    for (const [revision, byInstance] of this.#turns) this.#checkTurns(revision, byInstance);
    return {
      faults: this.#faults,
      splitRequests: this.#splitRequests,
      splitsLookedAt: this.#splitsLookedAt,
      worst: this.#worst,
    };
  }

  /** The subset is one of the rule's, and the instance one of the subset's. */
  #checkTarget(line: AccessLogLine, rules: Rules, rule: Rule | undefined): void {
    const subset = line.subset ?? '';
    const instance = this.#instances.get(line.instance ?? '');
    const isShared = rule === undefined ? subset === '' : (rule.shares[subset] ?? 0) > 0;
    if (!isShared || instance === undefined || !isOf(subset, instance, rules)) {
      this.#fault(`gone where its rule does not send it: ${show(line)}`);
    }
  }

  #count(line: AccessLogLine, revision: number, rule: Rule | undefined): void {
    const request = requestOf(idOf(line.path));
    const subset = line.subset ?? '';
    if (rule === undefined) return increase(this.#turns, revision, line.instance ?? '');
    if (isSplit(rule, request)) return increase(this.#split, `${revision} ${rule.name}`, subset);
    const key = `${revision} ${rule.name} ${request.user}`;
    const before = this.#sticky.get(key) ?? subset;
    if (before !== subset) this.#fault(`a user of ${before} is sent elsewhere: ${show(line)}`);
    this.#sticky.set(key, subset);
  }

  /**
   * A split goes on as long as its shares stay. So the requests of a rule since its shares changed are, at the end of
   * each revision, the first of a split: each backend must have had its share of them to within less than one.
   */
  #checkSplits(name: string): void {
    let shares = '';
    let counts = new Map<string, number>();
    for (const { revision, rules } of this.#evidence.inForce) {
      const rule = rules.route?.find((each) => each.name === name);
      const now = rule === undefined ? '' : reduced(rule.shares);
      if (now !== shares) counts = new Map();
      shares = now;
      if (rule === undefined) continue;
      for (const [subset, count] of this.#split.get(`${revision} ${name}`) ?? []) {
        counts.set(subset, (counts.get(subset) ?? 0) + count);
        this.#splitRequests += count;
      }
      this.#checkSplit(rule, counts, revision);
    }
  }

  #checkSplit({ name, shares }: Rule, counts: ReadonlyMap<string, number>, revision: number): void {
    const requests = sumOf([...counts.values()]);
    if (requests > 0) this.#splitsLookedAt++;
    const sum = sumOf(Object.values(shares));
    for (const [subset, weight] of Object.entries(shares)) {
      const off = Math.abs((counts.get(subset) ?? 0) - (requests * weight) / sum);
      this.#worst = Math.max(this.#worst, off);
      if (off < 1) continue;
      const said = JSON.stringify({ shares, counts: Object.fromEntries(counts) });
      this.#fault(`the split of ${name} is off by ${off} at the end of revision ${revision}: ${said}`);
    }
  }

  /** Without a Route and a policy instances take turns: none is ahead of another by more than one request. */
  #checkTurns(revision: number, byInstance: ReadonlyMap<string, number>): void {
    if (this.#rulesAt.get(revision)?.policies[''] !== undefined) return;
    const counts = this.#evidence.instances.map(({ id }) => byInstance.get(id) ?? 0);
    if (Math.max(...counts) - Math.min(...counts) > 1) this.#fault(`turns of revision ${revision}: ${counts}`);
  }

  #fault(sentence: string): void {
    if (this.#faults.length < mostFaults) this.#faults.push(sentence);
  }
}

function show(line: AccessLogLine): string {
  return JSON.stringify(line);
}

function increase<Key>(counts: Map<Key, Map<string, number>>, key: Key, name: string): void {
  const of = counts.get(key) ?? new Map<string, number>();
  of.set(name, (of.get(name) ?? 0) + 1);
  counts.set(key, of);
}

/** The same for shares that are the same: subsets by name, weights by their greatest common divisor. */
function reduced(shares: Readonly<Record<string, number>>): string {
  const used = Object.entries(shares).filter(([, weight]) => weight > 0);
  const divisor = used.map(([, weight]) => weight).reduce(greatestCommonDivisor);
  return JSON.stringify(used.map(([subset, weight]) => [subset, weight / divisor]).sort());
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}
