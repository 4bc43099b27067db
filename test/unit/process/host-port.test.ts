import { expect } from 'chai';
import { dialAddress, listenAddress } from '../../../process/address-settings.ts';
import { formatHostPort, isLoopback, parseHostPort } from '../../../process/host-port.ts';

describe('addresses', () => {
  for (const { text, want } of [
    { text: '127.0.0.1:80', want: { host: '127.0.0.1', port: 80 } },
    { text: '0.0.0.0:0', want: { host: '0.0.0.0', port: 0 } },
    { text: '[::1]:80', want: { host: '::1', port: 80 } },
    { text: 'Reviews.local:9080', want: { host: 'reviews.local', port: 9080 } },
    { text: 'a:65535', want: { host: 'a', port: 65_535 } },
  ]) {
    it(`${text} is one`, () => {
      expect(parseHostPort(text)).to.deep.equal(want);
      expect(formatHostPort(want)).to.equal(text.toLowerCase());
    });
  }

  for (const text of [
    '',
    ':80',
    'a',
    'a:',
    'a:65536',
    'a:-1',
    'a:8o',
    '::1:80',
    '[::1]',
    '[a]:80',
    '256.1.1.1:80',
    '1.2.3:80',
    'a b:80',
    'http://a:80',
    '-a:80',
  ]) {
    it(`${text === '' ? 'nothing' : text} is none`, () => expect(parseHostPort(text)).to.equal(undefined));
  }

  it('may have port 0 to listen on, and not to dial', () => {
    expect(listenAddress.safeParse('127.0.0.1:0').success).to.equal(true);
    expect(dialAddress.safeParse('127.0.0.1:0').success).to.equal(false);
  });

  for (const { host, want } of [
    { host: '127.0.0.1', want: true },
    { host: '127.8.8.8', want: true },
    { host: '::1', want: true },
    { host: '::ffff:127.0.0.1', want: true },
    { host: 'localhost', want: true },
    { host: 'api.localhost', want: true },
    { host: '10.0.0.1', want: false },
    { host: '0.0.0.0', want: false },
    { host: '127.example.com', want: false },
  ]) {
    it(`${host} ${want ? 'stays' : 'does not stay'} on the machine`, () => expect(isLoopback(host)).to.equal(want));
  }
});
