import { expect } from 'chai';
import { faultsOf, resourcesIn, service, trafficPolicy } from './reading.ts';

const specOf = (document: object) => resourcesIn(JSON.stringify(document))[0]?.spec;

describe('a Service', () => {
  it('has one port http, number 80, when it declares none', () => {
    expect(specOf(service())).to.deep.equal({
      ports: [{ name: 'http', port: 80, protocol: 'http' }],
      subsets: [],
      aliases: [],
      hops: 'both',
      instanceAddress: 'balance',
    });
  });

  it('keeps aliases in lower case and the order of its ports', () => {
    const spec = {
      ports: [
        { name: 'web', port: 81 },
        { name: 'admin', port: 80 },
      ],
      aliases: ['com.Example.Facade'],
    };
    expect(specOf(service(spec))).to.deep.include({
      ports: [
        { name: 'web', port: 81, protocol: 'http' },
        { name: 'admin', port: 80, protocol: 'http' },
      ],
      aliases: ['com.example.facade'],
    });
  });

  for (const { name, spec, want } of [
    { name: 'with an empty list of ports', spec: { ports: [] }, want: ['spec.ports: must not be an empty list'] },
    {
      name: 'with ports that share name or number',
      spec: {
        ports: [
          { name: 'a', port: 1 },
          { name: 'a', port: 2 },
          { name: 'b', port: 1 },
        ],
      },
      want: [
        'spec.ports[1].name: port name "a" stands here a second time; first at [0]',
        'spec.ports[2].port: port number "1" stands here a second time; first at [0]',
      ],
    },
    {
      name: 'with ports out of range',
      spec: {
        ports: [
          { name: 'a', port: 0 },
          { name: 'b', port: 65536 },
          { name: 'c', port: '80' },
        ],
      },
      want: [
        'spec.ports[0].port: must be at least 1; found 0',
        'spec.ports[1].port: must be at most 65535; found 65536',
        'spec.ports[2].port: must be a number; found "80"',
      ],
    },
    {
      name: 'whose port has the field of Kubernetes',
      spec: { ports: [{ name: 'a', number: 80 }] },
      want: [
        'spec.ports[0].port: is missing',
        'spec.ports[0].number: unknown field "number"; allowed here: name, port, protocol',
      ],
    },
    {
      name: 'with an unknown protocol',
      spec: { ports: [{ name: 'a', port: 80, protocol: 'htpt' }] },
      want: ['spec.ports[0].protocol: must be one of http, http2, grpc, tcp; found "htpt"; did you mean "http"?'],
    },
    {
      name: 'with a subset without labels',
      spec: { subsets: [{ name: 'v1', labels: {} }] },
      want: ['spec.subsets[0].labels: needs at least one label; without any it would be all instances'],
    },
    {
      name: 'with a label that is a number',
      spec: { subsets: [{ name: 'v1', labels: { version: 1 } }] },
      want: ['spec.subsets[0].labels.version: must be text; found 1; put it in quotes: "1"'],
    },
    {
      name: 'with one subset twice',
      spec: {
        subsets: [
          { name: 'v1', labels: { a: 'b' } },
          { name: 'v1', labels: { a: 'c' } },
        ],
      },
      want: ['spec.subsets[1].name: subset "v1" stands here a second time; first at [0]'],
    },
    {
      name: 'with aliases that mean the machine itself or an address',
      spec: { aliases: ['LocalHost', 'db.localhost', '1.0.240.240.in-addr.arpa', 'ip6.arpa', 'localhost.example'] },
      want: [
        'spec.aliases[0]: must not be "localhost" or below it: that is the machine of whoever asks; found "localhost"',
        'spec.aliases[1]: must not be "localhost" or below it: that is the machine of whoever asks; found "db.localhost"',
        'spec.aliases[2]: must not be the name of an address (.arpa); found "1.0.240.240.in-addr.arpa"',
        'spec.aliases[3]: must not be the name of an address (.arpa); found "ip6.arpa"',
      ],
    },
    {
      name: 'with one alias in two cases',
      spec: { aliases: ['a.Example', 'A.example'] },
      want: ['spec.aliases[1]: alias "a.example" stands here a second time; first at [0]'],
    },
    {
      name: 'with hops that do not exist',
      spec: { hops: 'none' },
      want: ['spec.hops: must be one of both, client, server, direct; found "none"'],
    },
  ]) {
    it(`${name} is refused`, () => expect(faultsOf(service(spec))).to.deep.equal(want));
  }
});

describe('a TrafficPolicy', () => {
  it('fills nothing in, for what a subset leaves out is the matter of the service', () => {
    expect(specOf(trafficPolicy({ subset: 'v2' }))).to.deep.equal({ service: 'reviews', subset: 'v2' });
  });

  it('keeps durations canonical', () => {
    const spec = { loadBalancer: { policy: 'least-request' }, connectionPool: { connectTimeout: '1000ms' } };
    expect(specOf(trafficPolicy(spec))).to.deep.equal({
      service: 'reviews',
      loadBalancer: { policy: 'least-request' },
      connectionPool: { connectTimeout: '1s' },
    });
  });

  for (const { name, spec, want } of [
    {
      name: 'with an unknown policy',
      spec: { loadBalancer: { policy: 'roundrobin' } },
      want: [
        'spec.loadBalancer.policy: must be one of round-robin, least-request, random, ring-hash, maglev; found "roundrobin"; did you mean "round-robin"?',
      ],
    },
    {
      name: 'with a load balancer without policy',
      spec: { loadBalancer: {} },
      want: ['spec.loadBalancer.policy: is missing'],
    },
    {
      name: 'with a timeout without unit',
      spec: { connectionPool: { connectTimeout: 1 } },
      want: [
        'spec.connectionPool.connectTimeout: must be a duration: a number with its unit ms, s, m or h, such as 500ms, 2s or 1.5m; found 1',
      ],
    },
  ]) {
    it(`${name} is refused`, () => expect(faultsOf(trafficPolicy(spec))).to.deep.equal(want));
  }
});
