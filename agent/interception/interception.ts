/**
 * Interception as the agent and the command see it: rules and routes put in place, taken away, compared. Rules outlive the
 * process that has made them: without an agent, connections that are taken are refused until somebody removes them.
 */
import type { RunProgram } from '../../process/run-program.ts';
import { checkIptables, hasIptables, installIptables, removeIptables } from './iptables.ts';
import { checkNftables, hasNftables, installNftables, removeNftables } from './nftables.ts';
import type { IpFamily } from './rules/cidr.ts';
import type { Interception } from './rules/description.ts';
import { ownChains, printIptables } from './rules/iptables-text.ts';
import { printNftables } from './rules/nftables-text.ts';
import { createReleasedRuleSet, createRuleSet, type RuleSet } from './rules/rule-set.ts';
import { InterceptionError } from './tools.ts';
import { addRoutes, checkRoutes, printRoutes, removeRoutes, removeRoutesBut } from './vip-routes.ts';

export const backends = ['nftables', 'iptables'] as const;
export type Backend = (typeof backends)[number];

export interface Interceptor {
  readonly backend: Backend;
  /** Asks and tells the kernel: `runProgram`, or in tests the same within a network namespace. */
  readonly run: RunProgram;
}

export interface Removal {
  readonly backends: readonly Backend[];
  readonly run: RunProgram;
}

interface BackendDeeds {
  readonly install: (run: RunProgram, ruleSet: RuleSet) => Promise<void>;
  readonly remove: (run: RunProgram) => Promise<void>;
  readonly check: (run: RunProgram, ruleSet: RuleSet) => Promise<string[]>;
  readonly isThere: (run: RunProgram) => Promise<boolean>;
}

const deeds: Record<Backend, BackendDeeds> = {
  nftables: { install: installNftables, remove: removeNftables, check: checkNftables, isThere: hasNftables },
  iptables: { install: installIptables, remove: removeIptables, check: checkIptables, isThere: hasIptables },
};

/**
 * Puts rules and routes in place, in place of those of an earlier description; connections that are open stay as they are.
 * Rejects with an `InterceptionError`, and then nothing has changed.
 */
export async function installRules(described: Interception, { backend, run }: Interceptor): Promise<void> {
  await install(createRuleSet(described), { backend, run });
}

/**
 * Takes nothing any more, while connections that were brought to the agent go on; `removeRules` follows when these have ended.
 * Rejects with an `InterceptionError`, and then nothing has changed.
 */
export async function releaseRules(described: Interception, interceptor: Interceptor): Promise<void> {
  await install(createReleasedRuleSet(described), interceptor);
}

async function install(ruleSet: RuleSet, { backend, run }: Interceptor): Promise<void> {
  await refuseOther(backend, run);
  // Before the rules, so that a refusal of either leaves what was there.
  const added = await addRoutes(run, ruleSet.routes);
  await deeds[backend].install(run, ruleSet).catch(async (error: unknown) => {
    await removeRoutes(run, added);
    throw error;
  });
  await removeRoutesBut(run, ruleSet.routes);
}

/**
 * Leaves what others have made as it is. Does nothing when nothing of ours is there. Without backends the routes alone. Connections that
 * were brought to the agent end: where nothing else asks for connections, the kernel translates their packets no more.
 */
export async function removeRules({ backends: of, run }: Removal): Promise<void> {
  for (const backend of of) await deeds[backend].remove(run);
  await removeRoutesBut(run, []);
}

/** What is not as the description says, one sentence each; empty when all is. */
export async function checkRules(described: Interception, { backend, run }: Interceptor): Promise<string[]> {
  const ruleSet = createRuleSet(described);
  const other = await isThere(otherThan(backend), run);
  return [
    ...(await deeds[backend].check(run, ruleSet)),
    ...(await checkRoutes(run, ruleSet.routes)),
    ...(other ? [`${otherThan(backend)}: there are rules of Sluice here, too`] : []),
  ];
}

/** Whether rules of ours are there, of whatever description; false without the backend's tool. */
export async function isThere(backend: Backend, run: RunProgram): Promise<boolean> {
  return deeds[backend].isThere(run).catch((error: unknown) => {
    if (error instanceof InterceptionError && error.fault !== 'no-permission') return false;
    throw error;
  });
}

/** What `installRules` would tell the kernel where nothing of ours is yet. */
export function printRules(described: Interception, backend: Backend): string {
  const ruleSet = createRuleSet(described);
  return `${printBackend(ruleSet, backend)}${printRoutes(ruleSet.routes)}`;
}

function printBackend(ruleSet: RuleSet, backend: Backend): string {
  if (backend === 'nftables') return `# nft -f -\n${printNftables(ruleSet)}`;
  const restores: Record<IpFamily, string> = { ipv4: 'iptables-restore', ipv6: 'ip6tables-restore' };
  return ruleSet.families
    .map((family) => `# ${restores[family]} --noflush\n${printIptables(ownChains(ruleSet, family), [])}`)
    .join('');
}

/** Rules of both would take every connection twice, and only one of them would be removed later. */
async function refuseOther(backend: Backend, run: RunProgram): Promise<void> {
  const other = otherThan(backend);
  if (!(await isThere(other, run))) return;
  throw new InterceptionError(
    'other-backend',
    `rules of the backend ${other} are in place. Remove them with: sluice intercept uninstall --backend ${other}`,
  );
}

function otherThan(backend: Backend): Backend {
  return backend === 'nftables' ? 'iptables' : 'nftables';
}
