/** Services: those with a document, and those that exist because an instance registered. */
import { z } from 'zod';
import type { ResourceId } from '../../model/resource.ts';
import type { StoredResource } from '../../model/revision.ts';
import { serviceSchema } from '../../model/service.ts';
import { listOf, serviceAnswer } from '../answers.ts';
import { type Endpoint, endpoint, json } from '../endpoint.ts';
import { cursor, limit, pageOf } from '../page.ts';
import { namespace } from '../parameters.ts';
import type { ControlPlane, RegistryPort } from '../ports.ts';
import { resourceEndpoints } from './resources.ts';

const serviceList = listOf(serviceAnswer);

export function serviceEndpoints(controlPlane: ControlPlane): Endpoint[] {
  const { registry } = controlPlane;
  return [
    endpoint({
      method: 'get',
      path: '/api/v1/services',
      summary: 'All services, declared or not, with the states of their instances',
      query: z.strictObject({ limit, cursor, namespace }),
      answers: { 200: { description: 'A page, sorted by namespace and name', schema: serviceList } },
      handle({ query }) {
        const services = registry.services().filter(isIn(query.namespace));
        return json(pageOf(services, (service) => `${service.namespace}/${service.name}`, query));
      },
    }),
    ...resourceEndpoints(controlPlane, { kind: 'Service', implicit: (id) => implicitService(registry, id) }),
  ];
}

function isIn(namespace: string | undefined): (service: { namespace: string }) => boolean {
  return (service) => namespace === undefined || service.namespace === namespace;
}

/** The document that would change nothing: what a service is before anybody describes it. */
function implicitService(registry: RegistryPort, id: ResourceId): StoredResource | undefined {
  const known = registry.services().find(({ namespace, name }) => namespace === id.namespace && name === id.name);
  if (known === undefined) return undefined;
  const metadata = { name: id.name, namespace: id.namespace };
  const resource = serviceSchema.parse({ apiVersion: 'sluice.dev/v1', kind: 'Service', metadata, spec: {} });
  return { resource, revision: 0 };
}
