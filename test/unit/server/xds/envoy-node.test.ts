import { expect } from 'chai';
import type { Json } from '../../../../proto/struct.ts';
import { readEnvoyNode } from '../../../../server/xds/envoy-node.ts';

const read = (metadata: { readonly [key: string]: Json }) =>
  readEnvoyNode(
    {
      id: 'web-1',
      namespace: 'default',
      service: 'web',
      zone: '',
      userAgent: 'envoy',
      kind: 'envoy',
      version: '',
      hasApp: false,
      presented: { meshId: '', revision: 0 },
      metadata,
    },
    'mesh.local',
  );

const localhost = (port: number) => ({ host: '127.0.0.1', port });

describe('the node of an Envoy', () => {
  it('has a default for everything', () => {
    expect(read({})).to.deep.equal({
      node: {
        namespace: 'default',
        service: 'web',
        zone: '',
        streams: undefined,
        outbound: localhost(15_001),
        inbound: undefined,
        upstreams: [],
        services: undefined,
      },
      problems: [],
    });
  });

  it('says where it listens, and what it may address', () => {
    const { node, problems } = read({
      outbound: '127.0.0.1:1',
      inbound: '127.0.0.1:2',
      app: 'localhost:3',
      upstreams: {
        'Reviews:9080': '127.0.0.1:4',
        'db.finance': '[::1]:5',
        'shop.default.mesh.local:80': '127.0.0.1:6',
      },
      services: ['reviews', 'shop.default.mesh.local', 'reviews'],
    });
    expect(problems).to.deep.equal([]);
    expect(node).to.deep.include({
      outbound: localhost(1),
      inbound: { at: localhost(2), app: localhost(3) },
      upstreams: [
        { service: 'reviews.default', port: 9080, at: localhost(4) },
        { service: 'db.finance', port: undefined, at: { host: '::1', port: 5 } },
        { service: 'shop.default', port: 80, at: localhost(6) },
      ],
      services: ['reviews.default', 'shop.default'],
    });
  });

  for (const { name, metadata, problem } of [
    {
      name: 'an outbound without a port',
      metadata: { outbound: '127.0.0.1' },
      problem: /outbound is "127\.0\.0\.1", which/,
    },
    { name: 'a name in place of an address', metadata: { outbound: 'host:80' }, problem: /no IP address and port/ },
    { name: 'an address that is a number', metadata: { outbound: 5 }, problem: /outbound is 5/ },
    { name: 'an inbound without app', metadata: { inbound: '127.0.0.1:1' }, problem: /one of inbound and app/ },
    { name: 'an app without inbound', metadata: { app: '127.0.0.1:1' }, problem: /one of inbound and app/ },
    { name: 'upstreams that are a list', metadata: { upstreams: [] }, problem: /not addresses by service/ },
    {
      name: 'an upstream that is no name',
      metadata: { upstreams: { 'a b': '127.0.0.1:1' } },
      problem: /is no service/,
    },
    { name: 'an upstream with port 0', metadata: { upstreams: { 'a:0': '127.0.0.1:1' } }, problem: /is no service/ },
    { name: 'an upstream without address', metadata: { upstreams: { a: null } }, problem: /upstreams\["a"\] is null/ },
    {
      name: 'a service that is a number',
      metadata: { service: 3 },
      problem: /metadata\.sluice\.service is 3, not a name/,
    },
    { name: 'a namespace that is a list', metadata: { namespace: [] }, problem: /namespace is \[\], not a name/ },
    { name: 'services that are a word', metadata: { services: 'reviews' }, problem: /not a list of names/ },
    { name: 'a service that is no name', metadata: { services: ['a..b'] }, problem: /is no service/ },
    {
      name: 'two listeners at one address',
      metadata: { upstreams: { a: '127.0.0.1:15001' } },
      problem: /two listeners at 127\.0\.0\.1:15001/,
    },
  ] as readonly { name: string; metadata: { [key: string]: Json }; problem: RegExp }[]) {
    it(`tells of ${name}, and does without`, () => {
      const { problems } = read(metadata);
      expect(problems.join('\n')).to.match(problem);
    });
  }

  for (const { name, upstreams, left } of [
    { name: 'two ways to write one port', upstreams: { a: '127.0.0.1:1', 'a:9080': '127.0.0.1:1' }, left: ['a'] },
    { name: 'two services at one address', upstreams: { a: '[::1]:1', b: '[::1]:1' }, left: ['a'] },
    {
      name: 'one at the address of requests for all',
      upstreams: { a: '127.0.0.1:15001', b: '127.0.0.1:2' },
      left: ['b'],
    },
    { name: 'one at the address of the application', upstreams: { a: '127.0.0.1:3' }, left: [] },
    { name: 'a port twice, at any port', upstreams: { a: '127.0.0.1:0', 'a:1': '127.0.0.1:0' }, left: ['a'] },
  ] as readonly { name: string; upstreams: { [key: string]: Json }; left: string[] }[]) {
    it(`leaves out the later of two listeners: ${name}`, () => {
      const { node, problems } = read({ inbound: '127.0.0.1:3', app: '127.0.0.1:4', upstreams });
      expect(node.upstreams.map(({ service }) => service)).to.deep.equal(left.map((each) => `${each}.default`));
      expect(problems).to.have.lengthOf(1);
      expect(problems[0]).to.match(/two listeners at .*: the later one is left out$/);
    });
  }

  it('leaves out an inbound listener where the outbound one is', () => {
    const { node, problems } = read({ inbound: '127.0.0.1:15001', app: '127.0.0.1:4' });
    expect([node.inbound, problems.length]).to.deep.equal([undefined, 1]);
  });

  it('may have several listeners at any port', () => {
    const { node, problems } = read({ upstreams: { 'a:1': '127.0.0.1:0', 'a:2': '127.0.0.1:0', b: '127.0.0.1:0' } });
    expect([node.upstreams.length, problems]).to.deep.equal([3, []]);
  });
});
