import { expect } from 'chai';
import { checkRules, installRules, isThere, removeRules } from '../../../../agent/interception/interception.ts';
import { interceptionSchema } from '../../../../agent/interception/rules/description.ts';
import { InterceptionError } from '../../../../agent/interception/tools.ts';
import type { ProgramResult, RunProgram } from '../../../../process/run-program.ts';

const described = interceptionSchema.parse({ agent: { uid: 1337 } });
const said = (stderr: string): ProgramResult => ({ code: 1, stdout: '', stderr });
const done: ProgramResult = { code: 0, stdout: '', stderr: '' };
const noTable = said('Error: No such file or directory\nlist table inet sluice\n');

/** Tools that answer by the beginning of their command line; others do as they are told. */
function toolsThat(answers: Readonly<Record<string, ProgramResult | undefined>>): { run: RunProgram; ran: string[] } {
  const ran: string[] = [];
  const run: RunProgram = async (command) => {
    const line = command.join(' ');
    ran.push(line);
    const known = Object.keys(answers).find((beginning) => line.startsWith(beginning));
    return known === undefined ? done : answers[known];
  };
  return { run, ran };
}

async function faultOf(work: Promise<unknown>): Promise<InterceptionError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof InterceptionError) return error;
  throw new Error(`no InterceptionError but ${error}`);
}

describe('interception', () => {
  for (const { sentence, backend, answers, fault, says } of [
    {
      sentence: 'that nft is not there',
      backend: 'nftables',
      answers: { nft: undefined },
      fault: 'no-tool',
      says: 'there is no nft here. Install the package nftables',
    },
    {
      sentence: 'that ip is not there',
      backend: 'nftables',
      answers: { ip: undefined, 'nft -nn': noTable, iptables: done },
      fault: 'no-tool',
      says: 'Install the package iproute2',
    },
    {
      sentence: 'that iptables is not there',
      backend: 'iptables',
      answers: { iptables: undefined, 'nft -nn': noTable },
      fault: 'no-tool',
      says: 'Install the package iptables',
    },
    {
      sentence: 'that the right is missing, of nft',
      backend: 'nftables',
      answers: {
        'iptables-save': undefined,
        'nft -f': said('netlink: Error: cache initialization failed: Operation not permitted\n'),
      },
      fault: 'no-permission',
      says: 'root, or with the capability NET_ADMIN',
    },
    {
      sentence: 'that the right is missing, of ip',
      backend: 'nftables',
      answers: { 'iptables-save': undefined, 'ip -4 route add': said('RTNETLINK answers: Operation not permitted\n') },
      fault: 'no-permission',
      says: 'ip may not change packet rules here',
    },
    {
      sentence: 'that the kernel lacks nft',
      backend: 'nftables',
      answers: {
        'iptables-save': undefined,
        'nft -f': said(
          '/dev/stdin:4:1: Error: Could not process rule: Operation not supported\ntable inet sluice\n^^^^^\n',
        ),
      },
      fault: 'no-kernel-support',
      says: 'Load its modules (nf_tables',
    },
    {
      sentence: 'that the kernel lacks a target of iptables',
      backend: 'iptables',
      answers: {
        'nft -nn': noTable,
        'iptables-restore': said(
          "iptables-restore: can't initialize iptables table `nat': Table does not exist (do you need to insmod?)\n",
        ),
      },
      fault: 'no-kernel-support',
      says: 'iptable_nat',
    },
    {
      sentence: 'what else a tool says',
      backend: 'nftables',
      answers: { 'iptables-save': undefined, 'nft -f': said('Error: syntax error, unexpected newline\n') },
      fault: 'refused',
      says: 'nft refused the rules: Error: syntax error, unexpected newline',
    },
  ] as const) {
    it(`says ${sentence}`, async () => {
      const { run } = toolsThat(answers);
      const error = await faultOf(installRules(described, { backend, run }));
      expect(error.fault).to.equal(fault);
      expect(error.message).to.include(says);
    });
  }

  it('takes a route away again when the rules are refused', async () => {
    const { run, ran } = toolsThat({ 'iptables-save': undefined, 'nft -f': said('Error: no') });
    await faultOf(installRules(described, { backend: 'nftables', run }));
    const changes = ran.filter((line) => /route (?:add|del)/.test(line));
    expect(changes).to.deep.equal([
      'ip -4 route add local 240.240.0.0/16 dev lo src 127.0.0.1 proto 152',
      'ip -4 route del local 240.240.0.0/16 dev lo table local proto 152',
    ]);
  });

  it('puts IPv4 back when IPv6 is refused', async () => {
    let restored: readonly string[] = [];
    const run: RunProgram = async ([program = ''], input = '') => {
      if (program === 'nft') return noTable;
      if (program === 'ip6tables-restore') return said('ip6tables-restore: line 4 failed');
      if (program === 'iptables-restore') restored = [...restored, input];
      const isThere = program === 'iptables-save' && restored.length > 0;
      return { ...done, stdout: isThere ? (restored[0] ?? '').replace(/^-I (\w+) 1/gm, '-A $1') : '' };
    };
    const error = await faultOf(installRules(described, { backend: 'iptables', run }));
    expect(error.message).to.equal('ip6tables-restore refused the rules: ip6tables-restore: line 4 failed');
    expect(restored).to.have.length(2);
    expect(restored[1]?.match(/^-[DXAI].*/gm)).to.deep.equal([
      '-D OUTPUT -j SLUICE_OUTPUT',
      '-X SLUICE_OUTPUT',
      '-D OUTPUT -j SLUICE_OUTPUT',
      '-D PREROUTING -j SLUICE_PREROUTING',
      '-X SLUICE_OUTPUT',
      '-X SLUICE_PREROUTING',
    ]);
  });

  it('removes nothing where nothing is', async () => {
    const { run, ran } = toolsThat({ 'nft -nn': noTable });
    await removeRules({ backends: ['nftables', 'iptables'], run });
    expect(ran.filter((line) => /restore|-f|route (?:add|del)/.test(line))).to.deep.equal([]);
  });

  it('takes a tool that is not there for no rules, and a right that is missing for a fault', async () => {
    expect(await isThere('nftables', toolsThat({ nft: undefined }).run)).to.equal(false);
    const forbidden = toolsThat({ nft: said('Operation not permitted (you must be root)') });
    expect((await faultOf(isThere('nftables', forbidden.run))).fault).to.equal('no-permission');
  });

  it('says that nothing is there', async () => {
    const { run } = toolsThat({ 'nft -nn': noTable });
    expect(await checkRules(described, { backend: 'nftables', run })).to.deep.equal([
      'nftables: there is no table inet sluice',
      'routes: missing: local 240.240.0.0/16',
    ]);
  });
});
