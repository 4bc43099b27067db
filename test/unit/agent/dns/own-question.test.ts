import { expect } from 'chai';
import { type OwnQuestion, readOwnQuestion } from '../../../../agent/dns/own-question.ts';

const names = { domain: 'mesh.local', namespace: 'shop' };
const service = (name: string, more: Partial<OwnQuestion & { is: 'service' }> = {}): OwnQuestion => ({
  is: 'service',
  name,
  instance: undefined,
  port: undefined,
  isInDomain: name.endsWith('.mesh.local'),
  ...more,
});

describe('a name that is asked for', () => {
  const rows: readonly (readonly [name: string, means: string, want: OwnQuestion])[] = [
    ['reviews', 'a service of the own namespace', service('reviews.shop')],
    ['reviews.default', 'a service of another', service('reviews.default')],
    ['reviews.default.mesh.local', 'a service in full', service('reviews.default.mesh.local')],
    ['com.example.facade', 'an alias, or nobody of ours', service('com.example.facade')],
    ['r-1.reviews.default.mesh.local', 'an instance', service('reviews.default.mesh.local', { instance: 'r-1' })],
    [
      'a.b.reviews.default.mesh.local',
      'an instance with a dot',
      service('reviews.default.mesh.local', { instance: 'a.b' }),
    ],
    ['_http._tcp.reviews', 'a port', service('reviews.shop', { port: 'http' })],
    ['_tcp.reviews.default', 'what ports are below', service('reviews.default', { port: '' })],
    ['_http._tcp.mesh.local', 'a port of the domain, which has none', { is: 'nobody' }],
    ['_http._udp.reviews', 'nothing of the mesh, which has TCP alone', { is: 'foreign' }],
    ['mesh.local', 'the domain', { is: 'apex' }],
    ['shop.mesh.local', 'the own namespace', { is: 'empty' }],
    ['other.mesh.local', 'no service', { is: 'nobody' }],
    ['x_y.default.mesh.local', 'what no service can be called', { is: 'nobody' }],
    ['xmesh.local', 'another domain', service('xmesh.local')],
    ['4.3.2.1.in-addr.arpa', 'an IPv4 address', { is: 'reverse', address: '1.2.3.4' }],
    ['2.1.in-addr.arpa', 'a part of one', { is: 'foreign' }],
    ['256.3.2.1.in-addr.arpa', 'no address', { is: 'foreign' }],
    [`1.${'0.'.repeat(29)}d.f.ip6.arpa`, 'an IPv6 address', { is: 'reverse', address: 'fd00:0:0:0:0:0:0:1' }],
    ['printer.home.arpa', 'a name like others', service('printer.home.arpa')],
    ['', 'the root', { is: 'foreign' }],
  ];
  for (const [name, means, want] of rows) {
    it(`${name === '' ? '.' : name} is ${means}`, () => expect(readOwnQuestion(name, names)).to.deep.equal(want));
  }
});
