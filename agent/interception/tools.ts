/** The system's tools for packet rules, and what their refusals mean for whoever called us. */
import type { ProgramResult, RunProgram } from '../../process/run-program.ts';

/** Why the kernel was not told: nothing has changed then, or what had changed was taken back. */
export type InterceptionFault =
  | 'no-tool'
  | 'no-permission'
  | 'no-kernel-support'
  | 'no-cgroup'
  | 'other-backend'
  | 'refused';

/** One sentence on what is wrong, and one on what to do. */
export class InterceptionError extends Error {
  override readonly name = 'InterceptionError';
  readonly fault: InterceptionFault;

  constructor(fault: InterceptionFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Debian's packages, by the tool that they bring. */
const packages: Readonly<Record<string, string>> = {
  nft: 'nftables',
  ip: 'iproute2',
  'iptables-save': 'iptables',
  'iptables-restore': 'iptables',
  'ip6tables-save': 'iptables',
  'ip6tables-restore': 'iptables',
};

/** Runs a tool and resolves with what it printed; rejects with an `InterceptionError`. */
export async function runTool(run: RunProgram, command: readonly string[], input?: string): Promise<string> {
  const result = await tryTool(run, command, input);
  if (result.code === 0) return result.stdout;
  throw refusalOf(command, result);
}

/** The same for those whose refusal may mean something else; rejects only when there is no such tool. */
export async function tryTool(run: RunProgram, command: readonly string[], input?: string): Promise<ProgramResult> {
  const result = await run(command, input);
  if (result !== undefined) return result;
  const [tool = ''] = command;
  throw new InterceptionError(
    'no-tool',
    `there is no ${tool} here. Install the package ${packages[tool] ?? tool}, or put ${tool} on PATH.`,
  );
}

export function refusalOf(command: readonly string[], { code, stderr }: ProgramResult): InterceptionError {
  const tool = command[0] ?? '';
  const said = saidBy(stderr) || `it ended with ${code}`;
  if (/permi(?:ssion denied|tted)|must be root/i.test(stderr)) {
    return new InterceptionError(
      'no-permission',
      `${tool} may not change packet rules here (${said}). Run it as root, or with the capability NET_ADMIN.`,
    );
  }
  if (/cgroup/i.test(stderr)) {
    return new InterceptionError(
      'no-cgroup',
      `${tool} does not know the agent's cgroup (${said}). It has to be there before the rules, in cgroup v2 mounted at /sys/fs/cgroup.`,
    );
  }
  if (lacksModule.test(stderr)) {
    return new InterceptionError(
      'no-kernel-support',
      `the kernel lacks what ${tool} needs (${said}). Load its modules (${modules[tool] ?? 'nf_nat'}), try the other backend, or leave out what it cannot do.`,
    );
  }
  return new InterceptionError('refused', `${tool} refused the rules: ${said}`);
}

const lacksModule =
  /no such file or directory|not supported|insmod|can't initialize|missing kernel module|no chain\/target\/match|unknown device|cannot find device|invalid argument/i;

const modules: Readonly<Record<string, string>> = {
  nft: 'nf_tables, nft_chain_nat, nft_redir, nft_ct, nft_fib_inet',
  'iptables-restore': 'iptable_nat, iptable_raw, xt_REDIRECT, xt_CT, xt_conntrack, xt_owner, xt_addrtype',
  'ip6tables-restore':
    'ip6table_nat, ip6table_raw, xt_REDIRECT, xt_CT, xt_conntrack, xt_owner, xt_addrtype; or give --ipv4-only',
};

/** The first lines that say something, as one. */
function saidBy(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !/^\^|^[\^~ ]+$|^#|^try `/i.test(line))
    .slice(0, 2)
    .join(' ');
}
