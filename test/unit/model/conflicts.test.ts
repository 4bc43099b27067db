import { expect } from 'chai';
import { conflictProblems, findConflicts } from '../../../model/conflicts.ts';
import { parseDocuments } from '../../../model/document.ts';
import { formatPath, formatProblem } from '../../../model/problem.ts';
import { resourceOf, resourcesIn, route, service, trafficPolicy } from './reading.ts';

/** All conflicts of the documents, a line each: `resource: path: sentence`. */
function conflictsOf(...documents: object[]): string[] {
  return findConflicts(documents.map(resourceOf)).map(
    ({ resource, path, message }) => `${resource}: ${formatPath(path)}: ${message}`,
  );
}

const web = { name: 'web', port: 80 };
const tcp = { name: 'wire', port: 5432, protocol: 'tcp' };
const admin = { name: 'admin', port: 81 };
const backend = (name: string) => [{ backends: [{}, { service: name, weight: 0 }] }];

describe('conflicts between resources', () => {
  for (const { name, documents, want } of [
    { name: 'no resource', documents: [], want: [] },
    { name: 'one Route without its Service', documents: [route()], want: [] },
    { name: 'a Route that names the one port', documents: [route({ port: 'http' })], want: [] },
    {
      name: 'Routes for different ports of one service',
      documents: [service({ ports: [web, admin] }), route({ port: 'web' }, 'a'), route({ port: 'admin' }, 'b')],
      want: [],
    },
    {
      name: 'Routes for services of one name in two namespaces',
      documents: [route({}, 'a'), inNamespace('books', route({}, 'a'))],
      want: [],
    },
    {
      name: 'two Routes for one service',
      documents: [route({}, 'a'), route({}, 'b')],
      want: [
        'Route/default/b: spec.service: Route/default/b and Route/default/a both govern port "http" of service "reviews.default"; a port has one Route',
      ],
    },
    {
      name: 'two Routes for one port, named by only one of them',
      documents: [route({ port: 'http' }, 'a'), route({}, 'b')],
      want: [
        'Route/default/b: spec.service: Route/default/b and Route/default/a both govern port "http" of service "reviews.default"; a port has one Route',
      ],
    },
    {
      name: 'a Route that does not say which port it means',
      documents: [route(), service({ ports: [web, admin] })],
      want: [
        'Route/default/canary: spec.port: is missing: service "reviews.default" has the ports web, admin; a Route is for one of them',
      ],
    },
    {
      name: 'a Route for a port that the Service does not declare',
      documents: [route({ port: 'http' }), service({ ports: [web] })],
      want: [
        'Route/default/canary: spec.port: service "reviews.default" has no port "http"; Service/default/reviews declares web',
      ],
    },
    {
      name: 'a Route for a port of a service that no document describes',
      documents: [route({ port: 'grpc' })],
      want: [
        'Route/default/canary: spec.port: service "reviews.default" has no port "grpc"; without a Service document it has the one port http',
      ],
    },
    {
      name: 'a backend with a port of that name',
      documents: [route({ rules: backend('other') }), service({ ports: [{ ...web, name: 'http' }, admin] }, 'other')],
      want: [],
    },
    {
      name: 'a backend with one port of another name',
      documents: [route({ rules: backend('other') }), service({ ports: [web] }, 'other')],
      want: [],
    },
    {
      name: 'a backend with several ports of other names',
      documents: [route({ rules: backend('other') }), service({ ports: [web, admin] }, 'other')],
      want: [
        'Route/default/canary: spec.rules[0].backends[1].service: service "other.default" has no port "http", and Service/default/other declares several: web, admin',
      ],
    },
    {
      name: 'a mirror with several ports of other names',
      documents: [
        route({ rules: [{ backends: [{}], mirror: [{ service: 'other', percent: 1 }] }] }),
        service({ ports: [web, admin] }, 'other'),
      ],
      want: [
        'Route/default/canary: spec.rules[0].mirror[0].service: service "other.default" has no port "http", and Service/default/other declares several: web, admin',
      ],
    },
    {
      name: 'an alias that is the name of a service which only a mirror knows',
      documents: [
        service({ aliases: ['other'] }),
        route({ rules: [{ backends: [{}], mirror: [{ service: 'other', percent: 1 }] }] }),
      ],
      want: [
        'Service/default/reviews: spec.aliases[0]: alias "other" of Service/default/reviews is the name of another service, see Route/default/canary',
      ],
    },
    {
      name: 'shares of the connections of a tcp port',
      documents: [service({ ports: [tcp] }), route({ rules: [{ name: 'a', match: [{}], backends: [{}] }] })],
      want: [],
    },
    {
      name: 'rules about HTTP for an http port beside a tcp port',
      documents: [
        service({ ports: [web, tcp] }),
        route({ port: 'web', rules: [{ backends: [{}], timeout: '1s', match: [{ method: 'GET' }] }] }),
      ],
      want: [],
    },
    {
      name: 'rules about HTTP for a tcp port',
      documents: [
        service({ ports: [tcp] }),
        route({
          rules: [
            { backends: [{}] },
            {
              match: [{}, { path: { prefix: '/a' } }, { headers: { a: { present: true } } }],
              backends: [{}],
              sticky: { cookie: 'c' },
              timeout: '1s',
              headers: {},
            },
          ],
        }),
      ],
      want: ['match[1]', 'match[2]', 'sticky', 'timeout', 'headers'].map(
        (field) =>
          `Route/default/canary: spec.rules[1].${field}: is about HTTP, but Service/default/reviews declares port "wire" as tcp; its rules can only name backends`,
      ),
    },
    {
      name: "a subset's key for the load balancer of its service",
      documents: [
        trafficPolicy({ loadBalancer: { policy: 'maglev' } }, 'a'),
        trafficPolicy({ subset: 'v1', hashOn: [{ header: 'x' }] }, 'b'),
      ],
      want: [],
    },
    {
      name: "a subset's key without a load balancer that goes by one",
      documents: [
        trafficPolicy({ subset: 'v1', hashOn: [{ header: 'x' }] }, 'b'),
        trafficPolicy({ loadBalancer: { policy: 'random' } }, 'a'),
        inNamespace('books', trafficPolicy({ subset: 'v1', hashOn: [{ header: 'x' }] }, 'b')),
      ],
      want: [
        'TrafficPolicy/default/b: spec.hashOn: needs loadBalancer.policy ring-hash or maglev; the others go by no key, and TrafficPolicy/default/a names neither',
        'TrafficPolicy/books/b: spec.hashOn: needs loadBalancer.policy ring-hash or maglev; the others go by no key',
      ],
    },
    {
      name: 'TrafficPolicies for a service and for its subsets',
      documents: [trafficPolicy({}, 'a'), trafficPolicy({ subset: 'v1' }, 'b'), trafficPolicy({ subset: 'v2' }, 'c')],
      want: [],
    },
    {
      name: 'two TrafficPolicies for one service',
      documents: [trafficPolicy({}, 'a'), trafficPolicy({}, 'b')],
      want: [
        'TrafficPolicy/default/b: spec.service: TrafficPolicy/default/b and TrafficPolicy/default/a are both for service "reviews.default"; a target has one TrafficPolicy',
      ],
    },
    {
      name: 'two TrafficPolicies for one subset',
      documents: [trafficPolicy({ subset: 'v1' }, 'a'), trafficPolicy({ subset: 'v1' }, 'b')],
      want: [
        'TrafficPolicy/default/b: spec.service: TrafficPolicy/default/b and TrafficPolicy/default/a are both for subset "v1" of service "reviews.default"; a target has one TrafficPolicy',
      ],
    },
    {
      name: 'an alias of two services',
      documents: [service({ aliases: ['a.example'] }), service({ aliases: ['x.example', 'a.example'] }, 'ratings')],
      want: [
        'Service/default/ratings: spec.aliases[1]: alias "a.example" of Service/default/ratings is an alias of Service/default/reviews too; an alias means one service',
      ],
    },
    {
      name: 'an alias that is the name of another service',
      documents: [service({ aliases: ['ratings.default'] }), service({}, 'ratings')],
      want: [
        'Service/default/reviews: spec.aliases[0]: alias "ratings.default" of Service/default/reviews is the name of another service, see Service/default/ratings',
      ],
    },
    {
      name: 'an alias that is the name of a service which only a Route knows',
      documents: [service({ aliases: ['ratings'] }), route({ rules: backend('ratings') })],
      want: [
        'Service/default/reviews: spec.aliases[0]: alias "ratings" of Service/default/reviews is the name of another service, see Route/default/canary',
      ],
    },
    {
      name: 'an alias without a dot, the same in two namespaces',
      documents: [service({ aliases: ['old'] }), inNamespace('books', service({ aliases: ['old'] }))],
      want: [],
    },
    {
      name: 'an alias with and without its namespace',
      documents: [service({ aliases: ['old', 'old.default'] })],
      want: [
        'Service/default/reviews: spec.aliases[1]: alias "old.default" is the name "old.default", which Service/default/reviews has already',
      ],
    },
    { name: 'an alias that is the own name', documents: [service({ aliases: ['reviews.default'] })], want: [] },
  ]) {
    it(`${name}: ${want.length === 0 ? 'none' : 'found, naming every party'}`, () => {
      expect(conflictsOf(...documents)).to.deep.equal(want);
    });
  }

  it('come all at once, in the order of the resources to blame', () => {
    const found = conflictsOf(
      route({ port: 'grpc' }, 'a'),
      route({ port: 'grpc' }, 'b'),
      trafficPolicy({}, 'a'),
      trafficPolicy({}, 'b'),
    );
    expect(found.map((line) => line.split(':').slice(0, 2).join(':'))).to.deep.equal([
      'Route/default/a: spec.port',
      'Route/default/b: spec.port',
      'Route/default/b: spec.service',
      'TrafficPolicy/default/b: spec.service',
    ]);
  });
});

describe('conflicts as problems', () => {
  const problemsOf = (inForce: object[], files: { name: string; text: string }[]) => {
    const { resources } = parseDocuments(files);
    const all = [...resourcesIn(JSON.stringify(inForce)), ...resources.map(({ resource }) => resource)];
    return conflictProblems(findConflicts(all), resources).map(formatProblem);
  };

  it('stand at the new resource when the other is in force already', () => {
    expect(
      problemsOf([route({}, 'a')], [{ name: 'b.yaml', text: `# new\n${JSON.stringify(route({}, 'b'))}` }]),
    ).to.deep.equal([
      'b.yaml:2:88: spec.service: Route/default/b and Route/default/a both govern port "http" of service "reviews.default"; a port has one Route',
    ]);
  });

  it('stand at the other party when the resource to blame is in force already', () => {
    const text = JSON.stringify(service({ ports: [web] }));
    expect(problemsOf([route({ port: 'http' })], [{ name: 's.yaml', text }])).to.deep.equal([
      's.yaml:1:67: metadata.name: Route/default/canary: spec.port: service "reviews.default" has no port "http"; Service/default/reviews declares web',
    ]);
  });

  it('stand nowhere when nothing of them was just written', () => {
    expect(problemsOf([trafficPolicy({}, 'a'), trafficPolicy({}, 'b')], [])).to.deep.equal([
      'TrafficPolicy/default/b: spec.service: TrafficPolicy/default/b and TrafficPolicy/default/a are both for service "reviews.default"; a target has one TrafficPolicy',
    ]);
  });
});

function inNamespace(namespace: string, document: object): object {
  const { metadata } = document as { metadata: object }; // as `route` and `service` make them
  return { ...document, metadata: { ...metadata, namespace } };
}
