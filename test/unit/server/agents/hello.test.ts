import { expect } from 'chai';
import { MeshError } from '../../../../model/errors.ts';
import { formatProblem } from '../../../../model/problem.ts';
import type { Input } from '../../../../proto/load.ts';
import { HealthState, Hello } from '../../../../proto/types.ts';
import { readHello } from '../../../../server/agents/hello.ts';

const key = Buffer.alloc(32, 7);
const instance = { address: '10.0.0.1', ports: { '': 9080 }, labels: { version: 'v1' }, weight: 2, zone: 'east' };
const hello = { id: 'web-1', namespace: 'default', service: 'web', key, agentVersion: '1.0.0' };

/** As it comes over the wire: what is left out is there as its default. */
const read = (message: Input<Hello>) => readHello(Hello.decode(Hello.encode(message)));

function faults(message: Input<Hello>): string[] {
  try {
    read(message);
    return [];
  } catch (error) {
    return MeshError.from(error).problems.map(formatProblem);
  }
}

describe('a hello', () => {
  it('of a client without application is a registration without instance', () => {
    expect(read(hello)).to.deep.equal({
      id: 'web-1',
      namespace: 'default',
      service: 'web',
      keyHash: '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0',
      version: '1.0.0',
      names: [],
      instance: undefined,
    });
  });

  it('with an instance is the registration of that', () => {
    expect(
      read({ ...hello, instance: { ...instance, health: { state: HealthState.PASSING } } }).instance,
    ).to.deep.equal({
      ...instance,
      id: 'web-1',
      namespace: 'default',
      service: 'web',
      source: 'agent',
      ttlMs: 30_000,
      state: 'passing',
    });
  });

  it('says of an instance that its agent intercepts, only when it does', () => {
    const said = [true, false].map((intercepts) => read({ ...hello, instance: { ...instance, intercepts } }).instance);
    expect(said.map((each) => each?.intercepts)).to.deep.equal([true, undefined]);
  });

  for (const { health, want } of [
    { health: { state: HealthState.STARTING }, want: 'starting' },
    { health: { state: HealthState.PASSING }, want: 'passing' },
    { health: { state: HealthState.FAILING }, want: 'failing' },
    { health: undefined, want: 'starting' },
  ]) {
    it(`takes the instance as ${want} when its health is ${health?.state}`, () => {
      expect(read({ ...hello, instance: { ...instance, health } }).instance?.state).to.equal(want);
    });
  }

  it('with weight 0 has weight 1: the field was left out', () => {
    expect(read({ ...hello, instance: { ...instance, weight: 0 } }).instance?.weight).to.equal(1);
  });

  it('that says nothing is told all that is missing', () => {
    expect(faults({}).map((fault) => fault.split(':')[0])).to.deep.equal(['id', 'namespace', 'service', 'key']);
  });

  const many = <Value>(count: number, value: Value) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`n${n}`, value]));
  const megabyte = 'x'.repeat(1_000_000);

  const absurdities: readonly { name: string; more: Input<Hello>; want: RegExp }[] = [
    { name: 'an id with a slash', more: { id: 'a/b' }, want: /^id: must be letters/ },
    { name: 'an absurdly long id', more: { id: megabyte }, want: /^id: must be letters/ },
    { name: 'a namespace in upper case', more: { namespace: 'Books' }, want: /^namespace: must be a DNS label/ },
    { name: 'a service with a dot', more: { service: 'a.b' }, want: /^service: must be a DNS label/ },
    { name: 'a short key', more: { key: Buffer.alloc(15) }, want: /^key: must be 16 to 64 random bytes/ },
    { name: 'a long key', more: { key: Buffer.alloc(65) }, want: /^key: must be 16 to 64 random bytes/ },
    { name: 'a long version', more: { agentVersion: megabyte }, want: /^agentVersion: must have at most 100/ },
    {
      name: 'a host name for an address',
      more: { instance: { ...instance, address: 'web-1' } },
      want: /^instance.address: must be an IP/,
    },
    {
      name: 'an address that nobody can dial',
      more: { instance: { ...instance, address: '0.0.0.0' } },
      want: /^instance.address: must be an address that others can dial/,
    },
    { name: 'no port', more: { instance: { ...instance, ports: {} } }, want: /^instance.ports: needs a port/ },
    { name: 'port 0', more: { instance: { ...instance, ports: { web: 0 } } }, want: /^instance.ports.web: / },
    { name: 'port 65536', more: { instance: { ...instance, ports: { web: 65_536 } } }, want: /^instance.ports.web: / },
    {
      name: 'a port with an absurd name',
      more: { instance: { ...instance, ports: { 'A B': 1 } } },
      want: /^instance.ports\["A B"\]: /,
    },
    {
      name: 'more ports than anybody has',
      more: { instance: { ...instance, ports: many(65, 1) } },
      want: /^instance.ports: at most 64/,
    },
    {
      name: 'more labels than anybody has',
      more: { instance: { ...instance, labels: many(65, 'x') } },
      want: /^instance.labels: at most 64/,
    },
    {
      name: 'a label of a megabyte',
      more: { instance: { ...instance, labels: { a: megabyte } } },
      want: /^instance.labels.a: is no label value/,
    },
    {
      name: 'a label whose name is a megabyte',
      more: { instance: { ...instance, labels: { [megabyte]: 'a' } } },
      want: /^instance.labels\["x{80}…"\]: is no label key/,
    },
    {
      name: 'a weight beyond reason',
      more: { instance: { ...instance, weight: 1_000_001 } },
      want: /^instance.weight: must be at most 1000000/,
    },
    {
      name: 'a long zone',
      more: { instance: { ...instance, zone: megabyte } },
      want: /^instance.zone: must have at most 253/,
    },
  ];
  for (const { name, more, want } of absurdities) {
    it(`with ${name} is refused with the field and a sentence`, () => {
      const found = faults({ ...hello, ...more });
      expect(found).to.have.length(1);
      expect(found[0]).to.match(want).and.have.length.below(300);
    });
  }

  it('with several faults is told all of them', () => {
    const found = faults({ ...hello, id: '', namespace: 'A', instance: { ...instance, address: '', ports: {} } });
    expect(found.map((fault) => fault.split(':')[0])).to.deep.equal([
      'id',
      'namespace',
      'instance.address',
      'instance.ports',
    ]);
  });

  it('with thousands of faults is told how many, and the first of them', () => {
    const text = (() => {
      try {
        read({ ...hello, instance: { ...instance, labels: many(10_000, '?') } });
        return '';
      } catch (error) {
        return MeshError.from(error).toText();
      }
    })();
    expect(text)
      .to.match(/^the registration was refused: 1000[01] faults\n/)
      .and.have.length.below(4_000);
  });
});
