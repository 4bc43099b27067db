import { expect } from 'chai';
import type { CoreAddresses } from '../../../agent/agent-core.ts';
import type { EntrySettings } from '../../../agent/agent-settings.ts';
import { loadAgentSettings } from '../../../agent/config.ts';
import { interceptionSchema } from '../../../agent/interception/rules/description.ts';
import { describeEntries, packetRules, type TakenEntry } from '../../../agent/packet-rules.ts';
import type { RunProgram } from '../../../process/run-program.ts';
import { settingsSources } from '../../support/settings-sources.ts';
import { silent } from './xds/session-harness.ts';

const at = (port: number) => ({ host: '127.0.0.1', port });

describe('the packet rules of a running agent', () => {
  /** Changes that the kernel was told. */
  let told: string[];
  let refuses: boolean;
  const run: RunProgram = async (command, input = '') => {
    const line = command.join(' ');
    if (line.startsWith('nft -nn'))
      return { code: told.length > 0 ? 0 : 1, stdout: '', stderr: 'No such file or directory' };
    if (!line.startsWith('nft -f')) return { code: 0, stdout: '', stderr: '' };
    if (refuses) return { code: 1, stdout: '', stderr: 'Error: no' };
    told.push(inWords(input));
    return { code: 0, stdout: '', stderr: '' };
  };
  const inWords = (input: string) => {
    if (/ct state established/.test(input)) return 'open connections';
    const [, uid] = /skuid (\d+)/.exec(input) ?? [];
    if (uid === undefined) return 'none';
    return `those of ${uid}${/hook prerouting/.test(input) ? '' : ' but for callers'}`;
  };
  const of = (uid: number) => interceptionSchema.parse({ agent: { uid } });

  /** Whether somebody has them. */
  let isHeld: boolean;
  const hold = async () => {
    isHeld = true;
    return () => {
      isHeld = false;
    };
  };

  beforeEach(() => {
    told = [];
    refuses = false;
    isHeld = false;
  });

  it('are told to the kernel when they differ from those that are there', async () => {
    const rules = packetRules('nftables', silent, run, hold);
    for (const described of [of(1), of(1), of(2), undefined, undefined, of(2)]) await rules.put(described);
    expect(told).to.deep.equal(['those of 1', 'those of 2', 'none', 'those of 2']);
  });

  it('stay as they are when the kernel refuses others, which are tried again', async () => {
    const rules = packetRules('nftables', silent, run, hold);
    await rules.put(of(1));
    refuses = true;
    const refused = await rules.put(of(2)).catch((error: Error) => error.message);
    expect(refused).to.equal('nft refused the rules: Error: no');
    refuses = false;
    await rules.put(of(2));
    expect(told).to.deep.equal(['those of 1', 'those of 2']);
  });

  it('are removed once, for good, after what is under way', async () => {
    const rules = packetRules('nftables', silent, run, hold);
    await Promise.all([rules.put(of(1)), rules.remove(), rules.remove(), rules.put(of(2))]);
    expect(told).to.deep.equal(['those of 1', 'none']);
    expect(isHeld).to.equal(false);
  });

  it('go by steps, after which no others come', async () => {
    const rules = packetRules('nftables', silent, run, hold);
    await rules.put(of(1));
    await rules.leaveCallers();
    await rules.leaveCallers();
    await rules.put(of(2));
    await rules.leaveAll();
    await rules.leaveCallers();
    await rules.leaveAll();
    expect(isHeld).to.equal(true);
    await rules.remove();
    await rules.leaveAll();
    expect(told).to.deep.equal(['those of 1', 'those of 1 but for callers', 'open connections', 'none']);
    expect(isHeld).to.equal(false);
  });

  it('may be released for a while', async () => {
    const rules = packetRules('nftables', silent, run, hold);
    await rules.release();
    await rules.put(of(1));
    await rules.release();
    await rules.put(of(1));
    await rules.release();
    await rules.put(undefined);
    expect(told).to.deep.equal(['those of 1', 'open connections', 'those of 1', 'open connections', 'none']);
  });

  it('go on to the next step when one cannot be taken, and are tried again at last', async () => {
    let refusals = 0;
    const lacking: RunProgram = async (command, input) => {
      const isChange = command.includes('-f');
      if (isChange && told.length > 0 && refusals++ < 3) throw new Error('spawn nft EMFILE');
      return run(command, input);
    };
    const rules = packetRules('nftables', silent, lacking, hold);
    await rules.put(of(1));
    await rules.leaveCallers();
    await rules.leaveAll();
    await rules.remove();
    expect(told).to.deep.equal(['those of 1', 'none']);
  });

  it('are left behind when they cannot be removed, which does not keep the agent from ending', async () => {
    const rules = packetRules('nftables', silent, run, hold);
    await rules.put(of(1));
    refuses = true;
    await rules.remove();
    expect([told, isHeld]).to.deep.equal([['those of 1'], false]);
  });

  it('are not told to the kernel when another agent has them', async () => {
    const taken = async () => {
      throw new Error('those of another agent');
    };
    const rules = packetRules('nftables', silent, run, taken);
    const refused = await rules.put(of(1)).catch((error: Error) => error.message);
    await rules.remove();
    expect([refused, told]).to.deep.equal(['those of another agent', []]);
  });

  it('are not touched when there are none', async () => {
    await packetRules('nftables', silent, run, hold).remove();
    expect(told).to.deep.equal([]);
  });
});

describe('what packet rules bring to several applications', () => {
  const loaded = loadAgentSettings(
    settingsSources({ flags: { service: 'web', server: '10.0.0.9:15010,cp.local:15010' } }),
  );
  const common = 'settings' in loaded ? loaded.settings : expect.fail('these are settings');
  const limits = { maxConnections: 1, maxRequests: 1, maxPendingRequests: 1 };
  const interception = { backend: 'nftables', vipRange: '240.240.0.0/16' } as const;

  function entry(own: Partial<EntrySettings>, addresses: Partial<CoreAddresses>): TakenEntry {
    return {
      settings: { ...common, uids: [], gids: [], limits, ...own },
      addresses: { outbound: at(1), inbound: [], redirected: undefined, upstreams: [], dns: [], ...addresses },
    };
  }

  it('is what each has of users, groups and ports, and leaves all ports of the agent alone', () => {
    const appPorts = [
      { name: 'http', app: at(80), inbound: at(0) },
      { name: 'grpc', app: { host: '10.0.0.1', port: 81 }, inbound: at(0) },
    ];
    const described = describeEntries(
      [
        entry({ interception, uids: [2001], gids: [3001] }, { outbound: at(101), dns: [at(102)] }),
        entry(
          { interception, appPorts },
          { outbound: at(201), redirected: at(202), upstreams: [{ name: 'a', address: at(203) }] },
        ),
        entry({}, { outbound: at(301), inbound: [{ name: '', address: at(302) }] }),
      ],
      15_000,
    );
    expect(described?.applications).to.deep.equal([
      {
        uids: [2001],
        gids: [3001],
        outboundPort: 101,
        dnsPort: 102,
        ports: [],
        loopbackPorts: [],
        inboundPort: undefined,
      },
      {
        uids: [],
        gids: [],
        outboundPort: 201,
        dnsPort: undefined,
        ports: [80, 81],
        loopbackPorts: [80],
        inboundPort: 202,
      },
    ]);
    expect(described?.ownPorts).to.deep.equal([15_000, 203, 301, 302]);
    expect(described?.controlPlane.map(({ address, port }) => `${address.address}:${port}`)).to.deep.equal([
      '10.0.0.9:15010',
    ]);
    expect(described?.agent).to.deep.equal({ uid: process.getuid?.() });
  });

  it('is nothing when none has its connections brought', () =>
    expect(describeEntries([entry({}, {})], 15_000)).to.equal(undefined));
});
