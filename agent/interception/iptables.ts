/**
 * The backend that tells the kernel by iptables-restore and ip6tables-restore: chains of our own, and a jump to each.
 * Each table of each family is one transaction; when a later one is refused, the earlier ones are put back.
 */
import type { RunProgram } from '../../process/run-program.ts';
import type { IpFamily } from './rules/cidr.ts';
import { compareLines } from './rules/differences.ts';
import { iptablesLines, type OwnChain, ownChains, printIptables, readOwnChains } from './rules/iptables-text.ts';
import type { RuleSet } from './rules/rule-set.ts';
import { InterceptionError, type InterceptionFault, runTool, tryTool } from './tools.ts';

const both: readonly IpFamily[] = ['ipv4', 'ipv6'];
const prefixes = { ipv4: 'iptables', ipv6: 'ip6tables' } as const;

export async function installIptables(run: RunProgram, ruleSet: RuleSet): Promise<void> {
  const before = await readAll(run);
  try {
    for (const { family, there } of before) await restore(run, family, ownChains(ruleSet, family), there);
  } catch (error) {
    // What was there before is put back; why it did not work is the first error, whatever becomes of this.
    for (const { family, there } of before) {
      await readChains(run, family)
        .then((now) => restore(run, family, there, now), ignored)
        .catch(ignored);
    }
    throw error;
  }
}

/** Does nothing when nothing is there. */
export async function removeIptables(run: RunProgram): Promise<void> {
  for (const { family, there } of await readAll(run)) await restore(run, family, [], there);
}

/** What differs, in words; empty when all is as it should be. */
export async function checkIptables(run: RunProgram, ruleSet: RuleSet): Promise<string[]> {
  const found = await readAll(run);
  return found.flatMap(({ family, there }) => {
    const differences = compareLines(iptablesLines(ownChains(ruleSet, family)), iptablesLines(there));
    return differences.map((difference) => `${prefixes[family]}: ${difference}`);
  });
}

export async function hasIptables(run: RunProgram): Promise<boolean> {
  return (await readAll(run)).some(({ there }) => there.length > 0);
}

interface Found {
  readonly family: IpFamily;
  readonly there: readonly OwnChain[];
}

async function readAll(run: RunProgram): Promise<Found[]> {
  const found: Found[] = [];
  for (const family of both) found.push({ family, there: await readChains(run, family) });
  return found;
}

/** Without naming a table: iptables-save makes a table that it is asked for. */
async function readChains(run: RunProgram, family: IpFamily): Promise<OwnChain[]> {
  const command = [`${prefixes[family]}-save`];
  const result = await tryTool(run, command);
  // A kernel without IPv6 has no tables for it, and so none of ours.
  if (result.code !== 0 && family === 'ipv6' && !/permi/i.test(result.stderr)) return [];
  return readOwnChains(result.code === 0 ? result.stdout : await runTool(run, command));
}

async function restore(
  run: RunProgram,
  family: IpFamily,
  wanted: readonly OwnChain[],
  there: readonly OwnChain[],
): Promise<void> {
  const text = printIptables(wanted, there);
  if (text === '') return;
  // Others change tables, too: wait for them, in seconds.
  const command = [`${prefixes[family]}-restore`, '--noflush', '--wait', '5'];
  await runTool(run, command, text).catch((error: unknown) => {
    const hasCgroup = wanted.some(({ rules }) => rules.some((rule) => rule.includes('-m cgroup')));
    if (!hasCgroup || !(error instanceof InterceptionError) || !unclear.includes(error.fault)) throw error;
    // It does not say which rule was refused, and this one depends on what runs at the time.
    throw new InterceptionError('no-cgroup', `${error.message} ${cgroupHint}`);
  });
}

const unclear: readonly InterceptionFault[] = ['no-kernel-support', 'refused'];
const cgroupHint = "It may be that the agent's cgroup is not there: cgroup v2 has to have it before the rules.";

function ignored(): void {}
