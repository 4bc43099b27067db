/**
 * On which side requests pass an agent (`Service.spec.hops`), as the compiler sees it: who applies the rules, and where an
 * instance is dialled.
 */
import { formatPath, quote } from '../../model/problem.ts';
import type { Resource } from '../../model/resource.ts';
import type { Service } from '../../model/service.ts';
import type { InstancePlace, InstanceRecord } from '../registry/instance.ts';
import { type ClientProblem, documentName } from './compiled-variant.ts';

/** Whether callers route by the rules, or pass on what they are given. */
export function doCallersRoute(document: Service | undefined): boolean {
  const hops = document?.spec.hops ?? 'both';
  return hops === 'both' || hops === 'client';
}

/** Whether callers leave the agent of an instance out. */
export function isAgentLeftOut(document: Service | undefined): boolean {
  const hops = document?.spec.hops ?? 'both';
  return hops === 'client' || hops === 'direct';
}

/** Where callers dial the instance, and whether an agent is there that reads what agents tell each other. */
export function placeOf(
  instance: InstanceRecord,
  document: Service | undefined,
): InstancePlace & { readonly hasAgent: boolean } {
  const { application, address, ports, source } = instance;
  if (application && isAgentLeftOut(document)) return { ...application, hasAgent: false };
  return { address, ports, hasAgent: source === 'agent' };
}

/** What the mode cannot do for these documents and instances: whoever changes one of them is told. */
export function hopProblems(documents: readonly Resource[], instances: readonly InstanceRecord[]): ClientProblem[] {
  const service = documents.find((each) => each.kind === 'Service');
  if (service === undefined || service.spec.hops === 'both') return [];
  const intercepting = instances.filter(({ intercepts }) => intercepts);
  const hidden = instances.filter(
    ({ source, application, intercepts }) => source === 'agent' && !application && !intercepts,
  );
  const elsewhere = instances.filter((instance) => !listensAtPortsOf(service, instance));
  const routes = documents.filter((each) => each.kind === 'Route');
  const sentences = [
    isAgentLeftOut(service) && hidden.length > 0
      ? `callers go on to dial the agents of ${namesOf(hidden)}, which have not said where their applications are; start them with --app-advertise`
      : '',
    isAgentLeftOut(service) && intercepting.length > 0
      ? `requests go on to pass the agents of ${namesOf(intercepting)}, to which packet rules bring what is dialled at their applications; to leave them out, register the instances without agents and end these`
      : '',
    service.spec.hops === 'direct' && elsewhere.length > 0
      ? `applications that take addresses from DNS dial the port of the service, at which ${namesOf(elsewhere)} do not listen; give the Service the port of its instances`
      : '',
    !doCallersRoute(service) && routes.length > 0
      ? `callers pass requests on without the rules of ${routes.map(documentName).join(', ')}`
      : '',
  ].filter((sentence) => sentence !== '');
  return sentences.map(
    (sentence): ClientProblem => ({
      kind: 'agent',
      document: documentName(service),
      path: formatPath(['spec', 'hops']),
      sentence: `hops: ${service.spec.hops}: ${sentence}`,
      isOfService: true,
    }),
  );
}

/** Whether the instance is dialled at the very ports that the service declares, as far as it serves them. */
function listensAtPortsOf(service: Service, instance: InstanceRecord): boolean {
  const { ports } = placeOf(instance, service);
  const declared = service.spec.ports;
  return declared.every(({ name, port }) => {
    const number = ports[name] ?? (declared.length === 1 ? ports[''] : undefined);
    return number === undefined || number === port;
  });
}

function namesOf(instances: readonly InstanceRecord[]): string {
  return instances
    .map(({ id }) => quote(id))
    .sort()
    .join(', ');
}
