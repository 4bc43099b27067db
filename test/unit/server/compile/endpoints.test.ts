import { expect } from 'chai';
import { fromStruct } from '../../../../proto/struct.ts';
import { ClusterLoadAssignment } from '../../../../proto/types.ts';
import { compileEndpoints } from '../../../../server/compile/endpoints.ts';
import type { EndpointsInput } from '../../../../server/compile/service-input.ts';
import { instance } from '../registry/registry-world.ts';

const web = { name: 'web', port: 80, protocol: 'http' } as const;
const ofReviews: EndpointsInput = {
  key: 'reviews.default',
  ports: [web],
  hasOnePort: true,
  document: undefined,
  subsets: [''],
  instances: [],
};

/** Of the only cluster: "zone/weight: id@address:port=STATE*weight, ...", a line a zone. */
function compiled(input: Partial<EndpointsInput>): string[] {
  const [resource] = compileEndpoints({ ...ofReviews, ...input });
  const assignment: unknown = resource && ClusterLoadAssignment.toJson(ClusterLoadAssignment.decode(resource.bytes));
  const { endpoints = [] } = assignment as { endpoints?: readonly Locality[] };
  return endpoints.map(
    ({ locality, loadBalancingWeight, lbEndpoints }) =>
      `${locality.zone ?? ''}/${loadBalancingWeight.value}: ${lbEndpoints.map(describeEndpoint).join(', ')}`,
  );
}

interface Locality {
  readonly locality: { readonly zone?: string };
  readonly loadBalancingWeight: { readonly value: number };
  readonly lbEndpoints: readonly {
    readonly endpoint: {
      readonly address: { readonly socketAddress: { readonly address: string; readonly portValue: number } };
    };
    readonly healthStatus: string;
    readonly loadBalancingWeight: { readonly value: number };
    readonly metadata: {
      readonly filterMetadata: {
        readonly sluice: { readonly fields: { readonly instance: { readonly stringValue: string } } };
      };
    };
  }[];
}

function describeEndpoint({ endpoint, healthStatus, loadBalancingWeight, metadata }: Locality['lbEndpoints'][number]) {
  const { address, portValue } = endpoint.address.socketAddress;
  const id = metadata.filterMetadata.sluice.fields.instance.stringValue;
  return `${id}@${address}:${portValue}=${healthStatus}*${loadBalancingWeight.value}`;
}

describe('endpoints', () => {
  for (const { source, want } of [
    { source: 'agent', want: { instance: 'a' } },
    { source: 'rest', want: { instance: 'a', agent: false } },
  ] as const) {
    it(`tell who has no agent: of ${source} they say ${JSON.stringify(want)}`, () => {
      const [resource] = compileEndpoints({
        key: 'reviews.default',
        ports: [web],
        hasOnePort: true,
        document: undefined,
        subsets: [''],
        instances: [instance('a', { source })],
      });
      const [zone] = resource === undefined ? [] : ClusterLoadAssignment.decode(resource.bytes).endpoints;
      expect(fromStruct(zone?.lbEndpoints[0]?.metadata?.filterMetadata.sluice ?? null)).to.deep.equal(want);
    });
  }

  it('tell of those at one place the ids alone, but for one of them', () => {
    const instances = [instance('b'), instance('c', { state: 'failing' }), instance('a', { state: 'draining' })];
    const [resource] = compileEndpoints({ ...ofReviews, instances });
    const [zone] = resource === undefined ? [] : ClusterLoadAssignment.decode(resource.bytes).endpoints;
    const said = zone?.lbEndpoints.map(({ metadata }) => fromStruct(metadata?.filterMetadata.sluice ?? null));
    expect(said).to.deep.equal([{ instance: 'b', others: ['a', 'c'] }]);
  });

  for (const { name, input, want } of [
    { name: 'of a service without instances are none', input: {}, want: [] },
    {
      name: 'are all passing instances',
      input: { instances: [instance('b'), instance('a', { address: '10.0.0.2' })] },
      want: ['/2: a@10.0.0.2:9080=HEALTHY*1, b@10.0.0.1:9080=HEALTHY*1'],
    },
    {
      name: 'name nobody who has not been found alive yet',
      input: { instances: [instance('a', { state: 'starting' })] },
      want: [],
    },
    {
      name: 'tell who fails, who drains, and who is lost: the lost are routed last',
      input: {
        instances: [
          instance('a', { state: 'failing', address: '10.0.0.1' }),
          instance('b', { state: 'draining', address: '10.0.0.2' }),
          instance('c', { state: 'lost', address: '10.0.0.3' }),
        ],
      },
      want: ['/3: a@10.0.0.1:9080=UNHEALTHY*1, b@10.0.0.2:9080=DRAINING*1, c@10.0.0.3:9080=DEGRADED*1'],
    },
    {
      name: 'name one of several that share address and port: the best',
      input: { instances: [instance('a', { state: 'failing' }), instance('b', { state: 'lost' }), instance('c')] },
      want: ['/1: c@10.0.0.1:9080=HEALTHY*1'],
    },
    {
      name: 'name the first by id of several that share address and port and are equally good',
      input: { instances: [instance('b'), instance('a'), instance('c')] },
      want: ['/1: a@10.0.0.1:9080=HEALTHY*1'],
    },
    {
      name: 'name both of two at one address with other ports',
      input: { instances: [instance('a', { ports: { '': 1 } }), instance('b', { ports: { '': 2 } })] },
      want: ['/2: a@10.0.0.1:1=HEALTHY*1, b@10.0.0.1:2=HEALTHY*1'],
    },
    {
      name: 'reach a single port whatever the name of the only port of the service',
      input: { ports: [{ ...web, name: 'grpc' }], instances: [instance('a')] },
      want: ['/1: a@10.0.0.1:9080=HEALTHY*1'],
    },
    {
      name: 'do not guess which of several ports a single port is',
      input: { hasOnePort: false, instances: [instance('a')] },
      want: [],
    },
    {
      name: 'prefer the port of that name to the one without',
      input: { instances: [instance('a', { ports: { '': 1, web: 2 } })] },
      want: ['/1: a@10.0.0.1:2=HEALTHY*1'],
    },
    {
      name: 'leave out an instance that does not serve the port',
      input: { instances: [instance('a', { ports: { other: 1 } })] },
      want: [],
    },
    {
      name: 'are not misled by the name of a port that every object has',
      input: { ports: [{ ...web, name: 'constructor' }], instances: [instance('a', { ports: { other: 1 } })] },
      want: [],
    },
    {
      name: 'of a subset are those whose version it is',
      input: {
        subsets: ['v2'],
        instances: [instance('a'), instance('b', { labels: { version: 'v2' }, address: '10.0.0.2' })],
      },
      want: ['/1: b@10.0.0.2:9080=HEALTHY*1'],
    },
    {
      name: 'are grouped by zone, with the weight of each',
      input: {
        instances: [
          instance('a', { zone: 'west', weight: 5 }),
          instance('b', { zone: 'east', address: '10.0.0.2', weight: 2 }),
          instance('c', { zone: 'west', address: '10.0.0.3', weight: 3 }),
        ],
      },
      want: ['east/2: b@10.0.0.2:9080=HEALTHY*2', 'west/8: a@10.0.0.1:9080=HEALTHY*5, c@10.0.0.3:9080=HEALTHY*3'],
    },
  ] satisfies { name: string; input: Partial<EndpointsInput>; want: string[] }[]) {
    it(name, () => expect(compiled(input)).to.deep.equal(want));
  }

  it('of more weight than fits into 32 bits keep the greatest that does', () => {
    const instances = Array.from({ length: 4_500 }, (_, n) =>
      instance(`i${n}`, { weight: 1_000_000, ports: { '': n + 1 } }),
    );
    expect(compiled({ instances })[0]).to.match(/^\/4294967295: /);
  });
});
