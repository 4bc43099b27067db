/** What clients that are connected cannot do of the rules, by who holds what: for whoever reads status, and for whoever applies. */

import { formatPath } from '../model/problem.ts';
import type { Resource } from '../model/resource.ts';
import { defaultPorts, type Service } from '../model/service.ts';
import { type ClientKind, type ClientProblem, documentName } from './compile/compiled-variant.ts';
import type { ServiceInput } from './compile/service-input.ts';
import { instancesWith } from './rules/alias-claims.ts';
import type { RuleIndex } from './rules/rule-index.ts';
import type { ServiceSnapshot } from './snapshot/service-snapshot.ts';
import type { SnapshotCache } from './snapshot/snapshot-cache.ts';
import { problemsOf, problemsOfInput } from './snapshot/variants.ts';

export interface Audience {
  /** Kinds of the clients that are connected. */
  kinds(): ReadonlySet<ClientKind>;
  /** Whether a client of this kind holds the service. */
  holds(kind: ClientKind, service: string): boolean;
}

export interface ServiceProblem extends ClientProblem {
  /** "reviews.default". */
  readonly service: string;
}

/** Of all rules in force. */
export function problemsInForce(cache: SnapshotCache, audience: Audience): ServiceProblem[] {
  const kinds = [...audience.kinds()];
  return [...cache.services()].flatMap((snapshot) =>
    kinds.flatMap((kind) => {
      const problems = problemsOf(snapshot, kind);
      // Whether somebody holds it costs more to find than that there is nothing to say.
      if (problems.length === 0 || !audience.holds(kind, snapshot.key)) return [];
      return problems.map((problem) => ({ ...problem, service: snapshot.key }));
    }),
  );
}

/** Aliases that do not lead to their service, since another one has the name and instances: a rollback may bring that about. */
export function aliasProblems(
  document: Service | undefined,
  hasInstances: (service: string) => boolean,
): ClientProblem[] {
  if (document === undefined) return [];
  return document.spec.aliases.flatMap((alias, index): ClientProblem[] => {
    const other = instancesWith(alias, document, { hasInstances });
    if (other === undefined) return [];
    const sentence = `alias "${alias}" is the name of the service "${other}", which has instances: it leads there until these are gone`;
    return [
      { kind: 'agent', document: documentName(document), path: formatPath(['spec', 'aliases', index]), sentence },
    ];
  });
}

export interface RulesInForce {
  readonly audience: Audience;
  readonly rules: RuleIndex;
  readonly cache: SnapshotCache;
  readonly domain: string;
}

/** Of the documents of one service, as they would stand; those in force have been compiled already. */
export function problemsOfDocuments(
  key: string,
  documents: readonly Resource[],
  { audience, rules, cache, domain }: RulesInForce,
): ClientProblem[] {
  const kinds = [...audience.kinds()].filter((kind) => audience.holds(kind, key));
  if (kinds.length === 0) return [];
  const present = cache.service(key);
  if (present && isMadeOf(present, documents)) return kinds.flatMap((kind) => problemsOf(present, kind));
  const [name = '', namespace = ''] = key.split('.');
  const document = documents.find((one) => one.kind === 'Service');
  const input: ServiceInput = {
    name,
    namespace,
    domain,
    ports: document?.spec.ports ?? defaultPorts,
    document,
    routes: documents.filter((one) => one.kind === 'Route'),
    policies: documents.filter((one) => one.kind === 'TrafficPolicy'),
    virtualIps: [],
    namedSubsets: rules.namedSubsets(key),
    portsOf: (service) => rules.ports(service),
  };
  return kinds.flatMap((kind) => problemsOfInput(input, kind));
}

/** Whether these very documents, and nothing else, are what the service was compiled from: it keeps no port for the sake of callers. */
function isMadeOf(
  { input: { document, routes, policies, ports } }: ServiceSnapshot,
  documents: readonly Resource[],
): boolean {
  if (ports.length !== (document?.spec.ports ?? defaultPorts).length) return false;
  const sources = new Set<Resource>([...(document ? [document] : []), ...routes, ...policies]);
  return sources.size === documents.length && documents.every((each) => sources.has(each));
}
