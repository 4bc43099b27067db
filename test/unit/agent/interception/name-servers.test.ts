import { expect } from 'chai';
import { nameServersToTake } from '../../../../agent/interception/rules/name-servers.ts';

describe('the name servers whose questions are taken', () => {
  for (const { name, text, want } of [
    { name: 'are all without resolv.conf', text: '', want: 'all' },
    {
      name: 'are all when they are elsewhere',
      text: 'search lan\nnameserver 10.0.0.2\nnameserver fd00::2\n',
      want: 'all',
    },
    {
      name: 'are the resolver of this host alone',
      text: 'nameserver 127.0.0.53\noptions edns0\n',
      want: ['127.0.0.53'],
    },
    { name: "are Docker's alone", text: '# Generated\nnameserver 127.0.0.11', want: ['127.0.0.11'] },
    {
      name: 'are those of this host among others',
      text: 'nameserver ::1\n nameserver\t127.0.0.1 # dnsmasq\nnameserver 127.0.0.1\nnameserver 10.0.0.2',
      want: ['::1', '127.0.0.1'],
    },
    { name: 'are not in comments', text: '#nameserver 127.0.0.1\n;nameserver 127.0.0.1\n', want: 'all' },
    { name: 'may have a scope', text: 'nameserver fe80::1%eth0', want: 'all' },
  ] as const) {
    it(name, () => expect(nameServersToTake(text)).to.deep.equal(want));
  }
});
