/** What documents ask for and gRPC clients cannot do, a sentence each. They go by `routes.ts` and `clusters.ts`. */
import { formatPath, type Path } from '../../../model/problem.ts';
import type { Resource } from '../../../model/resource.ts';
import type { Route, Rule } from '../../../model/route.ts';
import type { TrafficPolicy } from '../../../model/traffic-policy.ts';
import type { ClientProblem } from '../compiled-variant.ts';
import { documentName } from '../compiled-variant.ts';
import { unmetBy } from './matches.ts';
import { retryConditions } from './retry-conditions.ts';

interface Found {
  readonly path: Path;
  readonly sentence: string;
}

export function routeProblems(document: Route): ClientProblem[] {
  const clients = clientsOf(document.spec.service);
  return document.spec.rules.flatMap((rule, index) =>
    ruleProblems(rule, clients).map((found) => problem(document, ['spec', 'rules', index], found)),
  );
}

export function policyProblems(document: TrafficPolicy): ClientProblem[] {
  const clients = clientsOf(document.spec.service);
  return [
    ...balancerProblems(document, clients),
    ...poolProblems(document, clients),
    ...healthProblems(document, clients),
  ].map((found) => problem(document, ['spec'], found));
}

function clientsOf(service: string): string {
  return `gRPC clients of ${service}`;
}

function problem(document: Resource, at: Path, { path, sentence }: Found): ClientProblem {
  return { kind: 'grpc', document: documentName(document), path: formatPath([...at, ...path]), sentence };
}

/** Gradual from what fails to what is left out. */
function ruleProblems(rule: Rule, clients: string): Found[] {
  const { sticky, mirror, headers, rewrite, redirect, match } = rule;
  const fails = `their requests that this rule takes fail with UNIMPLEMENTED`;
  return [
    ...match.flatMap((one, index) => {
      const unmet = unmetBy(one);
      if (unmet === undefined) return [];
      return [{ path: ['match', index, ...unmet.field], sentence: `never holds for ${clients}: ${unmet.reason}` }];
    }),
    ...(redirect ? [{ path: ['redirect'], sentence: `a redirect is not possible for ${clients}: ${fails}` }] : []),
    ...(rewrite?.path
      ? [{ path: ['rewrite', 'path'], sentence: `another path is not possible for ${clients}: ${fails}` }]
      : []),
    ...(rewrite?.host === undefined
      ? []
      : [
          {
            path: ['rewrite', 'host'],
            sentence: `another host is not possible for ${clients}: they send the one that they dialled`,
          },
        ]),
    ...(sticky
      ? [
          {
            path: ['sticky'],
            sentence: `sticky split is not possible for ${clients}: they draw a backend for each request, in the same shares`,
          },
        ]
      : []),
    ...(mirror ? [{ path: ['mirror'], sentence: `copies are not possible for ${clients}: they send none` }] : []),
    ...(headers
      ? [
          {
            path: ['headers'],
            sentence: `changes of headers are not possible for ${clients}: requests and answers stay as they are`,
          },
        ]
      : []),
    ...retryProblems(rule, clients),
  ];
}

/** gRPC tries a request five times at most. */
const mostRetries = 4;

function retryProblems({ retry }: Rule, clients: string): Found[] {
  if (retry === undefined) return [];
  const { unknown } = retryConditions(retry.on);
  return [
    ...(unknown.length === 0
      ? []
      : [
          {
            path: ['retry', 'on'],
            sentence: `${unknown.join(', ')} ${unknown.length === 1 ? 'is no status' : 'are no statuses'} that ${clients} retry on: these requests are not sent again`,
          },
        ]),
    ...(retry.perTryTimeout === undefined
      ? []
      : [
          {
            path: ['retry', 'perTryTimeout'],
            sentence: `a time for one try is not possible for ${clients}: only the timeout of the whole request counts`,
          },
        ]),
    ...(retry.attempts <= mostRetries
      ? []
      : [{ path: ['retry', 'attempts'], sentence: `${clients} send a request again ${mostRetries} times at most` }]),
  ];
}

const balancers: Readonly<Record<string, string>> = {
  'least-request': 'is round-robin for those gRPC clients of {} whose library does not have it',
  'ring-hash': 'is round-robin for those gRPC clients of {} whose library takes no list of balancers',
  random: 'is not possible for gRPC clients of {}: they go round-robin',
  maglev: 'is not possible for gRPC clients of {}: they take ring-hash, which knows other instances for a key',
};

function balancerProblems({ spec }: TrafficPolicy, clients: string): Found[] {
  const { loadBalancer, hashOn = [], localityPreference, service } = spec;
  const balancer = loadBalancer && balancers[loadBalancer.policy];
  return [
    ...(balancer
      ? [{ path: ['loadBalancer', 'policy'], sentence: `${loadBalancer.policy} ${balancer.replace('{}', service)}` }]
      : []),
    ...hashOn.flatMap((key, index) =>
      key.header !== undefined || key.sourceAddress !== undefined
        ? []
        : [
            {
              path: ['hashOn', index],
              sentence: `a hash of a ${key.cookie === undefined ? 'query parameter' : 'cookie'} is not possible for ${clients}: this key does not count for them`,
            },
          ],
    ),
    ...(localityPreference
      ? [
          {
            path: ['localityPreference'],
            sentence: `${localityPreference} is not possible for ${clients}: they use the instances of all zones`,
          },
        ]
      : []),
  ];
}

/** All of the connection pool but maxRequests. */
const poolFields = ['maxConnections', 'maxPendingRequests', 'retryBudget', 'idleTimeout', 'connectTimeout'] as const;

function poolProblems({ spec }: TrafficPolicy, clients: string): Found[] {
  return poolFields
    .filter((field) => spec.connectionPool?.[field] !== undefined)
    .map((field) => ({
      path: ['connectionPool', field],
      sentence: `${field} is not possible for ${clients}: they look after their connections themselves`,
    }));
}

function healthProblems({ spec }: TrafficPolicy, clients: string): Found[] {
  return [
    ...(spec.outlierDetection
      ? [
          {
            path: ['outlierDetection'],
            sentence: `counting failures in a row is not possible for ${clients}: they suspect no instance`,
          },
        ]
      : []),
    ...(spec.healthCheck
      ? [
          {
            path: ['healthCheck'],
            sentence: `health checks are not possible for ${clients}: they go by the state in the registry`,
          },
        ]
      : []),
  ];
}
