import { expect } from 'chai';
import { typeUrls } from '../../../../proto/type-urls.ts';
import { Name } from '../../../../proto/types.ts';
import { resourceOf } from '../../../../server/snapshot/service-snapshot.ts';
import { service } from '../rules/rules-world.ts';
import { RebuildWorld } from './rebuild-world.ts';

describe('addresses of services', () => {
  let world: RebuildWorld;

  /** What a name stands for: its service, and the ports that it leads to. */
  const lookUp = (name: string): string | undefined => {
    const owner = world.cache.ownerOfName(name);
    const resource = owner && world.cache.service(owner) && resourceOf(world.cache.service(owner), typeUrls.name, name);
    return resource && Name.decode(resource.bytes).routeConfigurations.join();
  };

  beforeEach(() => {
    world = new RebuildWorld();
    world.apply(service('reviews', '{ ports: [ { name: http, port: 9080 }, { name: admin, port: 9081 } ] }'));
  });

  const cases: readonly {
    name: string;
    ports: Record<string, number>;
    address: string;
    ask: string;
    want: string | undefined;
  }[] = [
    {
      name: 'lead to the port that the instance serves there',
      ports: { admin: 12220 },
      address: '10.0.0.1',
      ask: '10.0.0.1:12220',
      want: 'reviews.default:9081',
    },
    {
      name: 'lead nowhere when the instance does not say which of several it serves',
      ports: { '': 80 },
      address: '10.0.0.1',
      ask: '10.0.0.1:80',
      want: undefined,
    },
    {
      name: 'lead to both ports that one address serves',
      ports: { http: 80, admin: 80 },
      address: '10.0.0.1',
      ask: '10.0.0.1:80',
      want: 'reviews.default:9080,reviews.default:9081',
    },
    {
      name: 'have IPv6 in its shortest form, however it was registered',
      ports: { http: 80 },
      address: 'FD00:0::7',
      ask: '[fd00::7]:80',
      want: 'reviews.default:9080',
    },
  ];
  for (const { name, ports, address, ask, want } of cases) {
    it(name, () => {
      world.put('reviews', 'r1', { address, ports });
      expect(lookUp(ask)).to.equal(want);
    });
  }

  it('lead to the only port when the instance does not say which it serves', () => {
    world.put('ratings', 'r1', { address: '10.0.0.1', ports: { '': 12220 } });
    expect(lookUp('10.0.0.1:12220')).to.equal('ratings.default:80');
  });

  it('stand for nothing when no instance is there, on another port, or without a port', () => {
    world.put('reviews', 'r1', { address: '10.0.0.1', ports: { http: 80 } });
    expect(['10.0.0.1:81', '10.0.0.2:80', '10.0.0.1'].map(lookUp)).to.deep.equal([undefined, undefined, undefined]);
  });

  it('move with the instance, and are told of with the change alone that moves them', () => {
    const changed: string[] = [];
    world.onChange = ({ services }) =>
      changed.push(...services.flatMap((each) => each.changed.map(([, name]) => name)));
    world.put('reviews', 'r1', { address: '10.0.0.1', ports: { http: 80 } });
    world.turn();
    world.put('reviews', 'r1', { address: '10.0.0.2', ports: { http: 80 } });
    world.turn();
    world.put('reviews', 'r1', { address: '10.0.0.2', ports: { http: 80 }, weight: 7 });
    world.turn();
    expect(changed).to.deep.equal(['10.0.0.1:80', '10.0.0.1:80', '10.0.0.2:80']);
    expect([lookUp('10.0.0.1:80'), lookUp('10.0.0.2:80')]).to.deep.equal([undefined, 'reviews.default:9080']);
  });

  it('belong to the next service when the one that had the same has gone', () => {
    world.put('ratings', 'x', { address: '10.0.0.1', ports: { '': 80 } });
    world.turn();
    world.put('reviews', 'x', { address: '10.0.0.1', ports: { http: 80 } });
    world.turn();
    expect(world.cache.ownerOfName('10.0.0.1:80')).to.equal('ratings.default');
    world.remove('ratings', 'x');
    world.turn();
    expect(lookUp('10.0.0.1:80')).to.equal('reviews.default:9080');
  });

  it('are the virtual IPs too, which lead to all ports', () => {
    world.virtualIps.set('reviews.default', ['240.240.0.7']);
    world.apply(service('reviews', '{ ports: [ { name: http, port: 9080 }, { name: other, port: 9082 } ] }'));
    expect(lookUp('240.240.0.7')).to.equal('reviews.default:9080,reviews.default:9082');
    const name = resourceOf(world.cache.service('reviews.default'), typeUrls.name, 'reviews.default');
    expect(name && Name.decode(name.bytes).virtualIps).to.deep.equal(['240.240.0.7']);
  });
});
