import { expect } from 'chai';
import { readResolvConf } from '../../../../agent/dns/resolv-conf.ts';

const hosts = (text: string) => readResolvConf(text).map(({ host }) => host);

describe('resolv.conf', () => {
  it('names resolvers in their order, on port 53', () =>
    expect(readResolvConf('search a.b\nnameserver 10.0.0.2\nnameserver 10.0.0.1\n')).to.deep.equal([
      { host: '10.0.0.2', port: 53 },
      { host: '10.0.0.1', port: 53 },
    ]));

  for (const { says, text, want } of [
    {
      says: 'IPv6 addresses, with an interface',
      text: 'nameserver ::1\nnameserver fe80::1%eth0',
      want: ['::1', 'fe80::1%eth0'],
    },
    { says: 'the same one once', text: 'nameserver 10.0.0.1\nnameserver 10.0.0.1', want: ['10.0.0.1'] },
    { says: 'what stands before a comment', text: '  nameserver\t10.0.0.1 # ours', want: ['10.0.0.1'] },
    { says: 'no comments', text: '# nameserver 10.0.0.1\n; nameserver 10.0.0.2\n#nameserver 10.0.0.3', want: [] },
    {
      says: 'no names, and nothing else that libc skips',
      text: 'nameserver dns.example.com\nnameserver\nnameservers 1.1.1.1',
      want: [],
    },
    {
      says: 'lines of Windows',
      text: 'nameserver 10.0.0.1\r\nnameserver 10.0.0.2\r\n',
      want: ['10.0.0.1', '10.0.0.2'],
    },
    { says: 'nobody when it is empty', text: '', want: [] },
  ]) {
    it(`names ${says}`, () => expect(hosts(text)).to.deep.equal(want));
  }
});
