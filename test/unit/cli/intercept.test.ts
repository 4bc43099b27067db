import { expect } from 'chai';
import { CliUnderTest } from './cli-under-test.ts';

describe('sluice intercept', () => {
  const cli = new CliUnderTest();
  const sluice = (...args: readonly string[]) => cli.sluice(['intercept', ...args]);

  it('prints the rules for nft, and the routes, without touching anything', async () => {
    const { code, out, err } = await sluice('install', '--agent-uid', '1337', '--dry-run');
    expect({ code, err }).to.deep.equal({ code: 0, err: '' });
    expect(out)
      .to.match(/^# nft -f -\ntable inet sluice \{\n/)
      .and.include('meta skuid 1337 return');
    expect(out).to.match(/\nip -4 route add local 240\.240\.0\.0\/16 dev lo /);
  });

  it('prints the rules for iptables, by family', async () => {
    const { out } = await sluice('install', '--agent-gid', '7', '--dry-run', '--backend', 'iptables', '--ipv4-only');
    expect(out)
      .to.match(/^# iptables-restore --noflush\n/)
      .and.include('--gid-owner 7')
      .and.not.include('ip6tables');
  });

  it('takes every flag', async () => {
    const { code, out } = await sluice(
      ...[
        'install',
        '--dry-run',
        '--agent-cgroup',
        'a/b',
        '--outbound-port',
        '1',
        '--inbound-port',
        '2',
        '--dns-port',
        '3',
      ],
      ...['--own-ports', '4,5', '--vip-range', '240.1.0.0/16', '--server', '10.0.0.5:15010,[fd00::5]:15010'],
      ...['--dns-servers', '127.0.0.53', '--inbound-ports', '80,81', '--exclude-inbound-ports', '6'],
      ...['--exclude-inbound-cidrs', '10.9.0.0/16', '--exclude-outbound-ports', '7', '--exclude-outbound-ports', '8'],
      ...['--exclude-outbound-cidrs', '10.8.0.0/16', '--exclude-uids', '9', '--only-uids', '10'],
    );
    expect(code).to.equal(0);
    for (const words of [
      'socket cgroupv2 level 2 "a/b"',
      'ip daddr 240.1.0.0/16 meta l4proto tcp redirect to :1 ',
      'ip daddr 10.0.0.5 tcp dport 15010 return',
      'meta skuid 9 return',
      'meta skuid 10 ip daddr 127.0.0.53 udp dport 53 redirect to :3 ',
      'fib daddr type local tcp dport 5 return',
      'ip daddr 10.8.0.0/16 return',
      'tcp dport 8 return',
      'meta skuid 10 meta l4proto tcp redirect to :1 ',
      'ip saddr 10.9.0.0/16 return',
      'tcp dport 6 return',
      'fib daddr type local tcp dport 81 redirect to :2 ',
    ]) {
      expect(out).to.include(words);
    }
  });

  for (const { sentence, args, says } of [
    { sentence: 'another deed', args: ['remove'], says: 'Allowed choices are install, uninstall, check' },
    {
      sentence: 'another backend',
      args: ['install', '--backend', 'bpf'],
      says: 'Allowed choices are nftables, iptables',
    },
    { sentence: 'no agent', args: ['install'], says: '--agent-uid, --agent-gid or --agent-cgroup: ' },
    { sentence: 'no agent to check for', args: ['check'], says: '--agent-uid, --agent-gid or --agent-cgroup: ' },
    {
      sentence: 'all that is wrong at once',
      args: [
        ...[
          'install',
          '--server',
          'foo:1',
          '--vip-range',
          '240.0.0.0/33',
          '--exclude-uids',
          '1,x',
          '--own-ports',
          '1,,2',
        ],
        ...['--agent-uid', 'me', '--inbound-ports', '80,http', '--dns-port', '0'],
      ],
      says: [
        '--agent-uid: must be a number; it is "me"',
        '--own-ports: must be numbers separated by commas',
        '--server: "foo:1" must be IP:PORT: rules cannot follow a name',
        '--exclude-uids: must be numbers separated by commas; it is "x"',
        '--inbound-ports: must be all, none, or a list separated by commas; it is "http"',
        '--dns-port: must be at least 1; found 0',
        '--vip-range: must be an address or a range, such as 10.0.0.0/8 or fd00::/8',
      ].join('\n'),
    },
    { sentence: 'a user by name', args: ['install', '--agent-uid', 'web'], says: 'must be a number' },
    {
      sentence: 'a port beyond all',
      args: ['install', '--agent-uid', '1', '--exclude-outbound-ports', '80,65536'],
      says: '--exclude-outbound-ports: ',
    },
    {
      sentence: 'no range',
      args: ['install', '--agent-uid', '1', '--exclude-outbound-cidrs', '10.0.0.0/99'],
      says: '--exclude-outbound-cidrs: must be an address or a range',
    },
    {
      sentence: 'a server by name',
      args: ['install', '--agent-uid', '1', '--server', 'mesh:15010'],
      says: 'must be IP:PORT',
    },
    {
      sentence: 'ports that are none',
      args: ['install', '--agent-uid', '1', '--inbound-ports', 'some'],
      says: '--inbound-ports: must be all, none, or a list',
    },
  ]) {
    it(`refuses ${sentence} as wrong usage`, async () => {
      const { code, err } = await sluice(...args);
      expect(err).to.include(says);
      expect(code).to.equal(2);
    });
  }
});
