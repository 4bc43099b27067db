/** What each function costs by itself, out of V8's profiles: CPU time, or bytes allocated. */
import { z } from 'zod';

const callFrame = z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() });

const cpuProfile = z.object({
  nodes: z.array(z.object({ id: z.number(), callFrame })),
  samples: z.array(z.number()),
  /** Microseconds since the sample before. */
  timeDeltas: z.array(z.number()),
});

interface AllocationNode {
  readonly callFrame: z.output<typeof callFrame>;
  /** In bytes. */
  readonly selfSize: number;
  readonly children: readonly AllocationNode[];
}

const allocationNode: z.ZodType<AllocationNode> = z.object({
  callFrame,
  selfSize: z.number(),
  children: z.lazy(() => z.array(allocationNode)),
});

const allocationProfile = z.object({ head: allocationNode });

export interface SelfCost {
  /** `name file:line`, the first of them the entry of the function. */
  readonly place: string;
  /** Microseconds or bytes. */
  readonly cost: number;
}

/** The dearest first; idle time is left out. */
export function cpuCosts(profile: unknown): SelfCost[] {
  const { nodes, samples, timeDeltas } = cpuProfile.parse(profile);
  const places = new Map(nodes.map((node) => [node.id, placeOf(node.callFrame)]));
  const costs = samples.map((id, index) => ({ place: places.get(id) ?? '?', cost: timeDeltas[index] ?? 0 }));
  return sumUp(costs.filter(({ place }) => place !== '(idle)'));
}

/** The dearest first. */
export function allocationCosts(profile: unknown): SelfCost[] {
  const flat = (node: AllocationNode): SelfCost[] => [
    { place: placeOf(node.callFrame), cost: node.selfSize },
    ...node.children.flatMap(flat),
  ];
  return sumUp(flat(allocationProfile.parse(profile).head));
}

function sumUp(costs: readonly SelfCost[]): SelfCost[] {
  const sums = new Map<string, number>();
  for (const { place, cost } of costs) sums.set(place, (sums.get(place) ?? 0) + cost);
  return [...sums].map(([place, cost]) => ({ place, cost })).sort((a, b) => b.cost - a.cost);
}

function placeOf({ functionName, url, lineNumber }: z.output<typeof callFrame>): string {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const file = url.replace(/^.*\/(dist|node_modules)\//, (_, folder) => (folder === 'dist' ? '' : 'node_modules/'));
  return `${name} ${file}:${lineNumber + 1}`;
}
