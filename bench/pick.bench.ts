/**
 * Question: what does it cost to pick an instance, in time and in garbage? Run with `npm run bench -- pick`.
 *
 * Time is the best of many rounds, as everything else on the machine can only make it longer. Garbage is what the heap
 * grew by in a round, in the median.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Candidate } from '../agent/balance/balancer.ts';
import { ClusterBalancer } from '../agent/balance/cluster-balancer.ts';
import type { LoadBalancerPolicy } from '../agent/balance/policy.ts';
import { hash53 } from '../routing/hash.ts';
import { median, printTable } from './support/figures.ts';

/** So few that no round fills the young generation and starts a collection. */
const picks = 20_000;
const rounds = 100;

interface Case {
  readonly name: string;
  readonly policy: LoadBalancerPolicy;
  readonly instances: number;
  readonly weight?: (index: number) => number;
  readonly preferredZone?: string;
}

const cases: readonly Case[] = [
  { name: 'round-robin', policy: 'round-robin', instances: 3 },
  { name: 'round-robin, different weights', policy: 'round-robin', instances: 3, weight: (index) => index + 1 },
  { name: 'round-robin, different weights', policy: 'round-robin', instances: 1_000, weight: (index) => index + 1 },
  { name: 'round-robin, own zone carries 70 %', policy: 'round-robin', instances: 12, preferredZone: 'z0' },
  { name: 'least-request', policy: 'least-request', instances: 3 },
  { name: 'least-request, different weights', policy: 'least-request', instances: 1_000, weight: (index) => index + 1 },
  { name: 'random', policy: 'random', instances: 3 },
  { name: 'ring-hash', policy: 'ring-hash', instances: 3 },
  { name: 'ring-hash', policy: 'ring-hash', instances: 1_000 },
  { name: 'maglev', policy: 'maglev', instances: 3 },
  { name: 'maglev', policy: 'maglev', instances: 1_000 },
];

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');
const hashes = Array.from({ length: 1_024 }, (_, index) => hash53(`user-${index}`));

const rows = cases.map((each) => {
  const balancer = createBalancer(each);
  const built = buildMs(each);
  const results = Array.from({ length: rounds }, () => measure(balancer));
  return {
    policy: each.name,
    instances: String(each.instances),
    pick: `${Math.min(...results.map(({ ns }) => ns)).toFixed(0)} ns`,
    garbage: `${median(results.map(({ bytes }) => bytes)).toFixed(1)} bytes`,
    build: `${built.toFixed(2)} ms`,
  };
});
printTable(`pick: node ${process.version}, ${rounds} rounds of ${picks} picks`, rows);

function createBalancer({ policy, instances, weight = () => 1, preferredZone }: Case): ClusterBalancer<Candidate> {
  const candidates = Array.from({ length: instances }, (_, index): Candidate => {
    const isDown = preferredZone !== undefined && index % 4 === 0;
    return {
      hashKey: `reviews-${index}`,
      weight: weight(index),
      availability: isDown ? 'unavailable' : 'healthy',
      zone: `z${index % 2}`,
      load: { active: index % 3 },
    };
  });
  return new ClusterBalancer({ policy, candidates, preferredZone });
}

/** With the first pick, which makes the tables. */
function buildMs(of: Case): number {
  const times = Array.from({ length: 9 }, () => {
    const start = process.hrtime.bigint();
    createBalancer(of).pick([], Math.random, 1);
    return Number(process.hrtime.bigint() - start) / 1e6;
  });
  return median(times);
}

function measure(balancer: ClusterBalancer<Candidate>) {
  const nobody: Candidate[] = [];
  if (typeof collect === 'function') collect();
  const before = process.memoryUsage().heapUsed;
  const start = process.hrtime.bigint();
  for (let n = 0; n < picks; n++) balancer.pick(nobody, Math.random, hashes[n & 1_023]);
  const ns = Number(process.hrtime.bigint() - start) / picks;
  const bytes = Math.max(0, process.memoryUsage().heapUsed - before) / picks;
  return { ns, bytes };
}
