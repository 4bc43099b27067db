import { expect } from 'chai';
import { InstanceState } from '../../../../agent/resilience/instance-state.ts';
import { createEmptyMeshView, createMeshView, type MeshResources } from '../../../../agent/view/mesh-view.ts';
import {
  Cluster,
  ClusterDiscoveryType,
  ClusterLbPolicy,
  HealthStatus,
  Name,
  RouteConfiguration,
} from '../../../../proto/types.ts';
import { route, routeConfiguration, weighted } from '../../routing/resources.ts';
import { assignment, cluster, name, serviceResources, viewOf, withAssignment, withRoutes } from './resources.ts';

const v1 = 'reviews.default|http|v1';
const v2 = 'reviews.default|http|v2';

const resources = serviceResources({
  routes: [route('canary/0', weighted({ [v1]: 90, [v2]: 10 }))],
  clusters: { [v1]: [{ id: 'a', port: 81 }], [v2]: [{ id: 'b', port: 82 }] },
});

function refusedOf(changed: MeshResources) {
  const made = createMeshView(changed, undefined, { agentId: 'web-1' });
  return 'refused' in made ? made.refused : [];
}

describe('a mesh view', () => {
  it('knows nothing at first', () => {
    const { meshId, revision, service } = createEmptyMeshView();
    expect({ meshId, revision, service: service('reviews.default') }).to.deep.equal({
      meshId: '',
      revision: 0,
      service: undefined,
    });
  });

  it('finds a service by its name, with its ports and the first of them', () => {
    const configs = ['reviews.default:9080', 'reviews.default:9081'].map((key) => routeConfiguration([], key));
    const view = viewOf({
      ...resources,
      names: new Map([
        ['shop.example', name('shop.example', ['reviews.default:9081', 'reviews.default:9080'], 'reviews.default')],
      ]),
      routeConfigurations: new Map(configs.map((config) => [config.name, config])),
    });
    const found = view.service('shop.example');
    expect(found?.service).to.equal('reviews.default');
    expect(found?.defaultPort).to.equal(9081);
    expect([...(found?.ports ?? [])].map(([port, table]) => [port, table.name])).to.deep.equal([
      [9081, 'reviews.default:9081'],
      [9080, 'reviews.default:9080'],
    ]);
  });

  it('finds a service by its virtual IP, under whatever name it is known', () => {
    const known = {
      ...name('reviews.default', ['reviews.default:9080'], 'reviews.default'),
      virtualIps: ['240.240.0.7'],
    };
    const view = viewOf({ ...resources, names: new Map([[known.name, known]]) });
    expect(view.service('240.240.0.7')?.service).to.equal('reviews.default');
    expect(view.service('240.240.0.8')).to.equal(undefined);
  });

  it('prepares endpoints with all that a request needs to know', () => {
    const endpoints = assignment(v1, [
      { id: 'reviews-1', address: '10.0.0.1', port: 81, weight: 3, health: HealthStatus.DEGRADED },
    ]);
    const view = viewOf(withAssignment(resources, endpoints));
    expect(view.clusters.get(v1)?.endpoints).to.deep.equal([
      {
        instance: 'reviews-1',
        others: [],
        identity: 'reviews.default/reviews-1',
        address: '10.0.0.1',
        port: 81,
        weight: 3,
        health: HealthStatus.DEGRADED,
        availability: 'degraded',
        hashKey: 'reviews-1',
        zone: 'z1',
        load: new InstanceState(),
      },
    ]);
  });

  it('names nobody in requests to an endpoint without an id', () => {
    const view = viewOf(withAssignment(resources, assignment(v1, [{ port: 81 }])));
    expect(view.clusters.get(v1)?.endpoints.map(({ identity }) => identity)).to.deep.equal(['']);
  });

  it('takes over what did not change', () => {
    const before = viewOf(resources);
    const after = viewOf(withAssignment(resources, assignment(v2, [{ id: 'c', port: 83 }])), before);
    expect(after.routeTables.get('reviews.default:9080')).to.equal(before.routeTables.get('reviews.default:9080'));
    expect(after.clusters.get(v1)).to.equal(before.clusters.get(v1));
    expect(after.clusters.get(v2)).to.not.equal(before.clusters.get(v2));
  });

  it('leaves the previous view as it was', () => {
    const before = viewOf(resources);
    viewOf(withRoutes(resources, routeConfiguration([route('all', { cluster: v2 })])), before);
    expect([...(before.service('reviews.default')?.ports.get(9080)?.clusters ?? [])]).to.deep.equal([v1, v2]);
  });

  it('goes on counting the requests to an endpoint that stays', () => {
    const before = viewOf(resources);
    const busy = before.clusters.get(v1)?.endpoints[0];
    const after = viewOf(
      withAssignment(
        resources,
        assignment(v1, [
          { id: 'x', port: 81 },
          { id: 'a', port: 81, weight: 2 },
        ]),
      ),
      before,
    );
    const [other, same] = after.clusters.get(v1)?.endpoints ?? [];
    expect(same?.load).to.equal(busy?.load);
    expect(other?.load).to.not.equal(busy?.load);
  });

  for (const { what, changed, want } of [
    {
      what: 'a route that names a cluster that is missing',
      changed: { ...resources, clusters: new Map([[v1, cluster(v1)]]) },
      want: [
        [RouteConfiguration.typeUrl, 'reviews.default:9080', `routes: they name the cluster "${v2}", which is missing`],
      ],
    },
    {
      what: 'a cluster whose endpoints are missing',
      changed: { ...resources, assignments: new Map([[v1, assignment(v1, [])]]) },
      want: [[Cluster.typeUrl, v2, `edsClusterConfig: its endpoints "${v2}" are missing`]],
    },
    {
      what: 'a name whose route configuration is missing',
      changed: { ...resources, names: new Map([['x.default', name('x.default', ['x.default:80'])]]) },
      want: [[Name.typeUrl, 'x.default', 'routeConfigurations: "x.default:80" is missing']],
    },
    {
      what: 'a name without a port',
      changed: { ...resources, names: new Map([['x.default', name('x.default', [])]]) },
      want: [[Name.typeUrl, 'x.default', 'routeConfigurations: the service has no port']],
    },
    {
      what: 'a route configuration that does not say its port',
      changed: {
        ...resources,
        names: new Map([['x.default', name('x.default', ['x.default'])]]),
        routeConfigurations: new Map([['x.default', routeConfiguration([], 'x.default')]]),
      },
      want: [[Name.typeUrl, 'x.default', 'routeConfigurations: "x.default" does not end in a port']],
    },
    {
      what: 'a route that the agent does not understand',
      changed: withRoutes(resources, routeConfiguration([route('a', { cluster: v1 }, {})])),
      want: [
        [
          RouteConfiguration.typeUrl,
          'reviews.default:9080',
          'routes[0].match: has a kind of path match that this agent does not know',
        ],
      ],
    },
    {
      what: 'a balancing policy that it does not have',
      changed: {
        ...resources,
        clusters: new Map(resources.clusters).set(v1, cluster(v1, { lbPolicy: ClusterLbPolicy.CLUSTER_PROVIDED })),
      },
      want: [[Cluster.typeUrl, v1, 'lbPolicy: CLUSTER_PROVIDED is not one that this agent knows']],
    },
    {
      what: 'a cluster of another kind than EDS',
      changed: {
        ...resources,
        clusters: new Map(resources.clusters).set(v1, cluster(v1, { type: ClusterDiscoveryType.STRICT_DNS })),
      },
      want: [[Cluster.typeUrl, v1, 'type: expected EDS, found STRICT_DNS']],
    },
    {
      what: 'an endpoint without a port',
      changed: withAssignment(resources, assignment(v1, [{ id: 'a', port: 0 }])),
      want: [[Cluster.typeUrl, v1, 'endpoints[0][0]: has no address and port']],
    },
    {
      what: 'an instance whose id would end a line of a head',
      changed: withAssignment(resources, assignment(v1, [{ id: 'a\r\nb: c', port: 1 }])),
      want: [[Cluster.typeUrl, v1, 'endpoints[0][0]: "a\\r\\nb: c" has a character that no path, host or id has']],
    },
    {
      what: 'weights that add up to more than 32 bits',
      changed: withAssignment(resources, assignment(v1, [{ port: 1, weight: 2 ** 32 - 1 }, { port: 2 }])),
      want: [[Cluster.typeUrl, v1, 'endpoints: their weights add up to more than 4294967295']],
    },
    {
      what: 'two things at once, by name',
      changed: { ...resources, assignments: new Map() },
      want: [
        [Cluster.typeUrl, v1, `edsClusterConfig: its endpoints "${v1}" are missing`],
        [Cluster.typeUrl, v2, `edsClusterConfig: its endpoints "${v2}" are missing`],
      ],
    },
  ]) {
    it(`refuses ${what}`, () => {
      expect(refusedOf(changed)).to.deep.equal(want.map(([typeUrl, key, reason]) => ({ typeUrl, name: key, reason })));
    });
  }

  it('refuses a table that did not change when its cluster goes', () => {
    const before = viewOf(resources);
    const made = createMeshView({ ...resources, clusters: new Map([[v1, cluster(v1)]]) }, before, { agentId: 'web-1' });
    expect('refused' in made && made.refused.map((refused) => refused.name)).to.deep.equal(['reviews.default:9080']);
  });
});
