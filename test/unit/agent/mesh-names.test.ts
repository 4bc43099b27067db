import { expect } from 'chai';
import { meshNames } from '../../../agent/mesh-names.ts';
import { HealthStatus, Name } from '../../../proto/types.ts';
import { route, weighted } from '../routing/resources.ts';
import { World } from './proxy/world.ts';
import { serviceResources } from './view/resources.ts';

const v1 = 'reviews.default|http|v1';

describe('the names of the mesh for DNS', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  const names = () => meshNames({ directory: world.directory, domain: 'mesh.local', vipRange: '240.240.0.0/16' });

  /** The service reviews with a virtual IP, by these names, and an instance Reviews-1 of it, at the place of which others are too. */
  function reviews(...spellings: readonly string[]) {
    const resources = serviceResources({
      routes: [route('all', weighted({ [v1]: 1 }))],
      clusters: { [v1]: [{ id: 'Reviews-1', address: '10.0.0.7', port: 9080, others: ['VM-reviews'] }] },
    });
    const words = {
      service: 'reviews.default',
      routeConfigurations: ['reviews.default:9080'],
      virtualIps: ['240.240.0.7'],
      portNames: ['http'],
    };
    const named = spellings.map((name) => [name, Name.decode(Name.encode({ name, ...words }))] as const);
    return { ...resources, names: new Map(named) };
  }

  const virtual = {
    is: 'virtual',
    name: 'reviews.default.mesh.local',
    addresses: ['240.240.0.7'],
    ports: [{ name: 'http', port: 9080 }],
  };

  for (const asked of ['reviews.default', 'reviews.default.mesh.local', 'com.example.facade']) {
    it(`are the virtual IPs of the service for ${asked}, at once`, () => {
      world.directory.swap(reviews('reviews.default', 'com.example.facade'));
      expect(names().find(asked, undefined)).to.deep.equal(virtual);
    });
  }

  it('are one value as long as the view stays: answers are kept by it', () => {
    world.directory.swap(reviews('reviews.default'));
    const directory = names();
    expect(directory.find('reviews.default', undefined)).to.equal(
      directory.find('reviews.default.mesh.local', undefined),
    );
  });

  it('are asked of the mesh, by one spelling, when they are not known', async () => {
    world.directory.answer = () => {
      world.directory.swap(reviews('reviews.default'));
      return 'known';
    };
    expect(await names().find('reviews.default.mesh.local', undefined)).to.deep.equal(virtual);
    expect(world.directory.asked).to.deep.equal(['reviews.default']);
  });

  it('are unknown when the mesh says so, and not when it says nothing', async () => {
    world.directory.answer = () => 'absent';
    expect(await names().find('nobody.default', undefined)).to.equal('unknown');
    world.directory.answer = () => 'unavailable';
    const fault = await Promise.resolve(names().find('nobody.default', undefined)).catch((error: unknown) => error);
    expect(fault).to.be.instanceOf(Error);
  });

  it('are the address of an instance by its id, in whatever case that was registered', () => {
    world.directory.swap(reviews('reviews.default'));
    const name = 'reviews-1.reviews.default.mesh.local';
    expect(names().find('reviews.default.mesh.local', 'reviews-1')).to.deep.equal({
      is: 'instances',
      name,
      instances: [{ name, address: '10.0.0.7', ports: [] }],
    });
    expect(names().find('reviews.default.mesh.local', 'reviews-2')).to.equal('unknown');
  });

  it('are the address of each of several instances at one place, by its own id', () => {
    world.directory.swap(reviews('reviews.default'));
    const directory = names();
    const found = ['reviews-1', 'vm-reviews', 'reviews-1'].map((id) =>
      directory.find('reviews.default.mesh.local', id),
    );
    expect(found.map((each) => each !== 'unknown' && 'name' in each && each.name)).to.deep.equal([
      'reviews-1.reviews.default.mesh.local',
      'vm-reviews.reviews.default.mesh.local',
      'reviews-1.reviews.default.mesh.local',
    ]);
    // Answers are kept by it.
    expect(found[2]).to.equal(found[0]);
  });

  it('are the instances that take requests, each with its own ports, when applications dial these themselves', () => {
    const [web, admin] = ['reviews.default|web|', 'reviews.default|admin|'];
    const resources = serviceResources({
      routes: [route('all', weighted({ [web]: 1 }))],
      clusters: {
        [web]: [
          { id: 'Reviews-1', address: '10.0.0.7', port: 9080 },
          { id: 'reviews-2', address: '10.0.0.8', port: 9081 },
          { id: 'reviews-3', address: '10.0.0.9', port: 9082, health: HealthStatus.DRAINING },
        ],
        [admin]: [{ id: 'Reviews-1', address: '10.0.0.7', port: 9999 }],
        // What a rule names besides says the same of its ports.
        'reviews.default|web|v1': [{ id: 'Reviews-1', address: '10.0.0.7', port: 9080 }],
      },
    });
    const name = { name: 'reviews.default', service: 'reviews.default', direct: true };
    const routeConfigurations = ['reviews.default:9080'];
    const named = Name.decode(Name.encode({ ...name, routeConfigurations, portNames: ['web'] }));
    world.directory.swap({ ...resources, names: new Map([['reviews.default', named]]) });
    expect(names().find('reviews.default', undefined)).to.deep.equal({
      is: 'instances',
      name: 'reviews.default.mesh.local',
      instances: [
        {
          name: 'reviews-1.reviews.default.mesh.local',
          address: '10.0.0.7',
          ports: [
            { name: 'web', port: 9080 },
            { name: 'admin', port: 9999 },
          ],
        },
        {
          name: 'reviews-2.reviews.default.mesh.local',
          address: '10.0.0.8',
          ports: [{ name: 'web', port: 9081 }],
        },
      ],
    });
  });

  it('lead back from virtual IPs, and from no other address', () => {
    world.directory.swap(reviews('reviews.default'));
    expect(['240.240.0.7', '240.240.0.8', '10.0.0.7', '::1'].map((address) => names().nameOf(address))).to.deep.equal([
      'reviews.default.mesh.local',
      'unknown',
      'foreign',
      'foreign',
    ]);
  });
});
