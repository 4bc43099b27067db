/** Short ways to write a document in a test and to see what the parser says of it. */
import { parseDocuments } from '../../../model/document.ts';
import { formatProblem } from '../../../model/problem.ts';
import type { Resource } from '../../../model/resource.ts';

/** What the parser found wrong with one file, a line each: `a.yaml:1:2: path: sentence`. */
export function faultsIn(text: string): string[] {
  return parseDocuments([{ name: 'a.yaml', text }]).problems.map(formatProblem);
}

/** The resources of a file that must have no faults. */
export function resourcesIn(text: string): Resource[] {
  const { resources, problems } = parseDocuments([{ name: 'a.yaml', text }]);
  if (problems.length > 0) throw new Error(problems.map(formatProblem).join('\n'));
  return resources.map(({ resource }) => resource);
}

/** What is wrong with a resource given as a value, without places: `path: sentence`. */
export function faultsOf(document: unknown): string[] {
  const { problems } = parseDocuments([{ name: 'a.json', text: JSON.stringify(document) }]);
  return problems.map(({ path, message }) => formatProblem({ path, message }));
}

/** The one resource of a document that must have no faults. */
export function resourceOf(document: object): Resource {
  const [resource] = resourcesIn(JSON.stringify(document));
  if (resource === undefined) throw new Error('no document');
  return resource;
}

const apiVersion = 'sluice.dev/v1';

/** A Route document with this spec; one rule to all of `reviews` unless given. */
export function route(spec: object = {}, name = 'canary'): object {
  const rules = [{ backends: [{ subset: 'v1' }] }];
  return { apiVersion, kind: 'Route', metadata: { name }, spec: { service: 'reviews', rules, ...spec } };
}

/** A Route with one rule: a backend, and what is given. */
export function routeWith(rule: object): object {
  return route({ rules: [{ backends: [{ subset: 'v1' }], ...rule }] });
}

export function service(spec: object = {}, name = 'reviews'): object {
  return { apiVersion, kind: 'Service', metadata: { name }, spec };
}

export function trafficPolicy(spec: object = {}, name = 'reviews'): object {
  return { apiVersion, kind: 'TrafficPolicy', metadata: { name }, spec: { service: 'reviews', ...spec } };
}
