/** The documents one by one: lists, GET with ETag, and PUT and DELETE, which are applies of one document. */
import { z } from 'zod';
import type { LocatedResource } from '../../model/document.ts';
import { MeshError } from '../../model/errors.ts';
import type { Problem } from '../../model/problem.ts';
import { type Kind, kindSchemas, type ResourceId, resourceIdKey } from '../../model/resource.ts';
import type { StoredResource } from '../../model/revision.ts';
import { listOf, storedAnswer } from '../answers.ts';
import { documentsBody } from '../body.ts';
import { type Endpoint, endpoint, json } from '../endpoint.ts';
import { cursor, limit, pageOf } from '../page.ts';
import {
  author,
  authorOf,
  dryRun,
  ifMatch,
  ifNoneMatch,
  ifNoneMatchAny,
  message,
  name,
  namespace,
  tagOf,
  wait,
} from '../parameters.ts';
import type { ControlPlane } from '../ports.ts';
import { answerChanged, answerDryRun, changedDescriptions } from '../rule-change.ts';
import { parseAll } from './apply.ts';

/** How each kind is called in paths. */
export const collections: Readonly<Record<Kind, string>> = {
  Route: 'routes',
  Service: 'services',
  TrafficPolicy: 'trafficpolicies',
};

const notFound = { description: 'There is no such resource' };
const storedList = listOf(storedAnswer);

/** GET of the list. Services have their own, because they also exist without a document. */
export function listEndpoint({ rules }: ControlPlane, kind: Kind): Endpoint {
  return endpoint({
    method: 'get',
    path: `/api/v1/${collections[kind]}`,
    summary: `The ${kind} documents, each with the revision that last changed it`,
    query: z.strictObject({ limit, cursor, namespace }),
    answers: { 200: { description: 'A page, sorted by namespace and name', schema: storedList } },
    handle({ query }) {
      const stored = rules.list(kind).filter(isIn(query.namespace));
      return json(pageOf(stored, keyOf, query));
    },
  });
}

export interface ResourceOptions {
  readonly kind: Kind;
  /** What stands for a resource that no document describes. */
  readonly implicit?: (id: ResourceId) => StoredResource | undefined;
}

export function resourceEndpoints(controlPlane: ControlPlane, { kind, implicit }: ResourceOptions): Endpoint[] {
  const { rules, agents, defaultNamespace } = controlPlane;
  const path = `/api/v1/${collections[kind]}/{name}`;
  const params = z.strictObject({ name });
  const idOf = (call: { params: { name: string }; query: { namespace?: string | undefined } }): ResourceId => ({
    kind,
    namespace: call.query.namespace ?? defaultNamespace,
    name: call.params.name,
  });
  return [
    endpoint({
      method: 'get',
      path,
      summary: `One ${kind}; its ETag is the revision that last changed it`,
      params,
      query: z.strictObject({ namespace }),
      headers: z.object({ 'if-none-match': ifNoneMatch }),
      answers: {
        200: { description: 'The document, as PUT takes it', schema: kindSchemas[kind] },
        304: { description: 'It still has the ETag of If-None-Match' },
        404: notFound,
      },
      handle(call) {
        const id = idOf(call);
        const { resource, revision } = rules.get(id) ?? implicit?.(id) ?? missing(id);
        const known = call.headers['if-none-match'];
        const etag = tagOf(revision);
        if (known === 'any' || known?.includes(revision)) return { is: 'empty', status: 304, headers: { etag } };
        return json(resource, { headers: { etag } });
      },
    }),
    endpoint({
      method: 'put',
      path,
      summary: `Apply one ${kind}`,
      params,
      query: z.strictObject({ namespace, dryRun, wait, message }),
      headers: z.object({ 'if-match': ifMatch, 'if-none-match': ifNoneMatchAny, 'x-sluice-by': author }),
      body: documentsBody,
      answers: changedDescriptions,
      async handle(call) {
        const { query, headers, signal } = call;
        const id = idOf(call);
        const change = {
          put: [theOne(parseAll(call.body), id)],
          remove: [],
          by: authorOf(headers['x-sluice-by'], call.remoteAddress),
          message: query.message,
          dryRun: query.dryRun,
          ...condition(controlPlane, id, headers),
        };
        const changed = await rules.change(change).catch((error: unknown) => {
          const present = rules.get(id);
          // To the rules it is a revision that differs; who wanted to create wants to hear that it is there.
          const isThere = error instanceof MeshError && error.code === 'ETAG_CONFLICT' && present !== undefined;
          if (headers['if-none-match'] === undefined || !isThere) throw error;
          throw new MeshError('RESOURCE_EXISTS', [resourceIdKey(id), present.revision]);
        });
        if (query.dryRun) return answerDryRun(changed);
        return answerChanged(agents, changed, { waitMs: query.wait, signal });
      },
    }),
    endpoint({
      method: 'delete',
      path,
      summary: `Delete one ${kind}`,
      params,
      query: z.strictObject({ namespace, dryRun, wait, message }),
      headers: z.object({ 'if-match': ifMatch, 'x-sluice-by': author }),
      answers: { ...changedDescriptions, 404: notFound },
      async handle(call) {
        const { query, headers, signal } = call;
        const id = idOf(call);
        if (rules.get(id) === undefined) missing(id);
        const changed = await rules.change({
          put: [],
          remove: [id],
          by: authorOf(headers['x-sluice-by'], call.remoteAddress),
          message: query.message,
          dryRun: query.dryRun,
          ...condition(controlPlane, id, headers),
        });
        if (query.dryRun) return answerDryRun(changed);
        return answerChanged(agents, changed, { waitMs: query.wait, signal });
      },
    }),
  ];
}

export function isIn(namespace: string | undefined): (stored: StoredResource) => boolean {
  return ({ resource }) => namespace === undefined || resource.metadata.namespace === namespace;
}

function keyOf({ resource: { metadata } }: StoredResource): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function missing({ kind, namespace, name }: ResourceId): never {
  throw new MeshError('RESOURCE_NOT_FOUND', [kind, namespace, name]);
}

/**
 * `If-Match: *` takes the revision as it stands now: who changes it in between makes the condition fail, which is
 * stricter than asked for, and never wrong.
 */
function condition(
  { rules }: ControlPlane,
  id: ResourceId,
  headers: { 'if-match'?: 'any' | number | undefined; 'if-none-match'?: '*' | undefined },
): { ifResourceRevision?: number } {
  const match = headers['if-match'];
  if (match !== undefined && headers['if-none-match'] !== undefined) {
    const problem = { path: 'header.if-none-match', message: 'contradicts If-Match' };
    throw MeshError.ofProblems('INVALID_REQUEST', [problem]);
  }
  if (headers['if-none-match'] === '*') return { ifResourceRevision: 0 };
  if (match === undefined) return {};
  if (match !== 'any') return { ifResourceRevision: match };
  const stored = rules.get(id);
  if (stored === undefined) throw new MeshError('ETAG_CONFLICT', [resourceIdKey(id), 0]);
  return { ifResourceRevision: stored.revision };
}

/** The body must say what the path says: a PUT of something else under this name is a slip. */
function theOne(resources: readonly LocatedResource[], id: ResourceId): LocatedResource {
  const problems: Problem[] = resources.slice(1).map((located) => ({
    file: located.file,
    ...located.locate([]),
    path: '',
    message: 'is a second document; a PUT takes one, POST /api/v1/apply takes several',
  }));
  const [first] = resources;
  if (first === undefined) throw new MeshError('NO_DOCUMENTS', []);
  const { kind, metadata } = first.resource;
  for (const [said, wanted, path] of [
    [kind, id.kind, ['kind']],
    [metadata.name, id.name, ['metadata', 'name']],
    [metadata.namespace, id.namespace, ['metadata', 'namespace']],
  ] as const) {
    if (said === wanted) continue;
    const message = `is "${said}", but the request is about "${wanted}"`;
    problems.push({ file: first.file, ...first.locate(path), path: path.join('.'), message });
  }
  if (problems.length > 0) throw MeshError.ofProblems('INVALID_DOCUMENTS', problems);
  return first;
}
