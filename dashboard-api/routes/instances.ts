/** The registry by hand: instances of programs that have no agent register here and live by heartbeat. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { duration, durationMs } from '../../model/duration.ts';
import { dnsLabel, labels } from '../../model/name-schemas.ts';
import { instanceAnswer, listOf } from '../answers.ts';
import { jsonBody } from '../body.ts';
import { type AnswerDescription, type Endpoint, endpoint, json } from '../endpoint.ts';
import { cursor, limit, pageOf } from '../page.ts';
import { id, name, namespace } from '../parameters.ts';
import type { ControlPlane, InstanceInfo, InstanceRef } from '../ports.ts';

const shortestTtlMs = 1_000;
const longestTtlMs = 3_600_000;
const defaultTtl = '30s';

const portNumber = z.int().min(1).max(65_535);

export const registrationSchema = z
  .strictObject({
    address: z.string().refine((text) => isIP(text) !== 0, 'must be an IP address'),
    /** For the service's only port. */
    port: portNumber.optional(),
    /** Port name -> number. */
    ports: z
      .record(dnsLabel, portNumber)
      .refine((ports) => Object.keys(ports).length > 0, 'names no port')
      .optional(),
    labels: labels.default({}),
    weight: z.int().min(1).max(65_535).default(1),
    zone: z
      .string()
      .max(253)
      .regex(/^[\w.:/-]*$/, 'must be letters, digits, ".", "_", ":", "/" and "-"')
      .default(''),
    ttl: duration
      .prefault(defaultTtl)
      .transform(durationMs)
      .refine((ms) => ms >= shortestTtlMs && ms <= longestTtlMs, 'must be from 1s to 1h'),
  })
  .refine(({ port, ports }) => (port === undefined) !== (ports === undefined), 'needs exactly one of port and ports');

const base = '/api/v1/services/{service}/instances';
const params = z.strictObject({ service: name, id });
const query = z.strictObject({ namespace });

const found: Readonly<Record<number, AnswerDescription>> = {
  200: { description: 'The instance', schema: instanceAnswer },
  404: { description: 'The service has no such instance' },
};

const instanceList = listOf(instanceAnswer);

export function instanceEndpoints({ registry, defaultNamespace }: ControlPlane): Endpoint[] {
  const refOf = (call: {
    params: { service: string; id: string };
    query: { namespace?: string | undefined };
  }): InstanceRef => ({ namespace: call.query.namespace ?? defaultNamespace, ...call.params });
  return [
    endpoint({
      method: 'get',
      path: base,
      summary: 'The instances of a service',
      params: z.strictObject({ service: name }),
      query: z.strictObject({ namespace, limit, cursor }),
      answers: {
        200: { description: 'A page, sorted by id', schema: instanceList },
        404: { description: 'Nothing knows this service' },
      },
      handle({ params, query }) {
        const instances = registry.instances(query.namespace ?? defaultNamespace, params.service);
        const { items, next } = pageOf(instances, (instance) => instance.id, query);
        return json({ items: items.map(presentInstance), next });
      },
    }),
    endpoint({
      method: 'put',
      path: `${base}/{id}`,
      summary: 'Register an instance, or renew and change it; it lives for its ttl and starts passing',
      params,
      query,
      body: jsonBody(registrationSchema),
      answers: {
        200: { description: 'It was known', schema: instanceAnswer },
        201: { description: 'It is new', schema: instanceAnswer },
      },
      async handle(call) {
        const { port, ports, ttl, ...rest } = call.body;
        const { instance, created } = await registry.register({
          ...refOf(call),
          ...rest,
          ports: ports ?? (port === undefined ? {} : { '': port }),
          ttlMs: ttl,
        });
        return json(presentInstance(instance), { status: created ? 201 : 200 });
      },
    }),
    endpoint({
      method: 'put',
      path: `${base}/{id}/heartbeat`,
      summary: 'Keep an instance for another ttl',
      params,
      query,
      answers: found,
      handle: async (call) => json(presentInstance(await registry.heartbeat(refOf(call)))),
    }),
    endpoint({
      method: 'put',
      path: `${base}/{id}/drain`,
      summary: 'Send no new requests to an instance',
      params,
      query,
      answers: found,
      handle: async (call) => json(presentInstance(await registry.drain(refOf(call)))),
    }),
    endpoint({
      method: 'delete',
      path: `${base}/{id}`,
      summary: 'Remove an instance',
      params,
      query,
      answers: { 204: { description: 'It is gone' }, 404: { description: 'The service has no such instance' } },
      async handle(call) {
        await registry.deregister(refOf(call));
        return { is: 'empty', status: 204 };
      },
    }),
  ];
}

/** Most instances have one port, and whoever reads them wants it without a map around it, as PUT takes it. */
export function presentInstance({ ports, ...instance }: InstanceInfo) {
  const [[name, number] = ['', null], ...more] = Object.entries(ports);
  const port = more.length === 0 ? number : null;
  return name === '' && port !== null ? { ...instance, port } : { ...instance, port, ports };
}
