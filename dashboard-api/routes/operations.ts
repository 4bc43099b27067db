/** For whoever operates the server: health, metrics, the description of this API, and a first page. */
import { z } from 'zod';
import { type Endpoint, endpoint, json } from '../endpoint.ts';
import type { ControlPlane } from '../ports.ts';

const readiness = z.looseObject({ ready: z.boolean() });

/** `describe` is asked late, because the description contains these calls too. */
export function operationEndpoints(
  { health }: ControlPlane,
  { version, describe }: { readonly version: string; readonly describe: () => unknown },
): Endpoint[] {
  const links = {
    name: 'sluice',
    version,
    links: {
      api: '/api/v1',
      openapi: '/openapi.json',
      events: '/api/v1/events',
      ready: '/readyz',
      healthy: '/healthz',
      metrics: '/metrics',
    },
  };
  return [
    endpoint({
      method: 'get',
      path: '/',
      summary: 'What is served here',
      answers: { 200: { description: 'Links', schema: z.looseObject({ links: z.record(z.string(), z.string()) }) } },
      handle: () => json(links),
    }),
    endpoint({
      method: 'get',
      path: '/openapi.json',
      summary: 'This description',
      answers: { 200: { description: 'OpenAPI 3.1', schema: z.looseObject({ openapi: z.string() }) } },
      handle: () => json(describe()),
    }),
    endpoint({
      method: 'get',
      path: '/healthz',
      summary: 'Whether the process answers at all',
      answers: { 200: { description: 'It does', contentType: 'text/plain', schema: z.string() } },
      handle: () => ({ is: 'text', status: 200, contentType: 'text/plain; charset=utf-8', text: 'ok\n' }),
    }),
    endpoint({
      method: 'get',
      path: '/readyz',
      summary: 'Whether the server serves; while it loads, nobody listens',
      answers: {
        200: { description: 'Ready', schema: readiness },
        503: { description: 'Shutting down', schema: readiness },
      },
      handle() {
        const { ready, body } = health.readiness();
        return json({ ready, ...body }, { status: ready ? 200 : 503 });
      },
    }),
    endpoint({
      method: 'get',
      path: '/metrics',
      summary: 'Prometheus metrics',
      answers: { 200: { description: 'Text exposition', contentType: 'text/plain', schema: z.string() } },
      async handle() {
        return { is: 'text', status: 200, ...(await health.metrics()) };
      },
    }),
  ];
}
