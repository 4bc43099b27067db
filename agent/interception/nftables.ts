/** The backend that tells the kernel by nft: one table of our own, replaced in one transaction. */
import type { RunProgram } from '../../process/run-program.ts';
import { compareLines } from './rules/differences.ts';
import { nftLines, nftTable, printNftables, printNftablesRemoval, readNftLines } from './rules/nftables-text.ts';
import type { RuleSet } from './rules/rule-set.ts';
import { refusalOf, runTool, tryTool } from './tools.ts';

export async function installNftables(run: RunProgram, ruleSet: RuleSet): Promise<void> {
  await runTool(run, ['nft', '-f', '-'], printNftables(ruleSet));
}

/** Does nothing when nothing is there. */
export async function removeNftables(run: RunProgram): Promise<void> {
  if ((await listed(run)) !== undefined) await runTool(run, ['nft', '-f', '-'], printNftablesRemoval());
}

/** What differs, in words; empty when all is as it should be. */
export async function checkNftables(run: RunProgram, ruleSet: RuleSet): Promise<string[]> {
  const listing = await listed(run);
  if (listing === undefined) return [`nftables: there is no table ${nftTable}`];
  const differences = compareLines(nftLines(ruleSet), readNftLines(listing));
  return differences.map((difference) => `nftables: ${difference}`);
}

export async function hasNftables(run: RunProgram): Promise<boolean> {
  return (await listed(run)) !== undefined;
}

/** Undefined when there is no such table. */
async function listed(run: RunProgram): Promise<string | undefined> {
  const command = ['nft', '-nn', 'list', 'table', ...nftTable.split(' ')];
  const result = await tryTool(run, command);
  if (result.code === 0) return result.stdout;
  if (/no such file or directory/i.test(result.stderr)) return undefined;
  throw refusalOf(command, result);
}
