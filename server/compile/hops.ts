/**
 * On which side requests pass an agent (`Service.spec.hops`), as the compiler sees it: who applies the rules, and where an
 * instance is dialled.
 */
import { formatPath, type Path, quote } from '../../model/problem.ts';
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

/** What the mode cannot do for these documents and instances. */
export function hopProblems(documents: readonly Resource[], instances: readonly InstanceRecord[]): ClientProblem[] {
  const service = documents.find((each) => each.kind === 'Service');
  if (service === undefined || service.spec.hops === 'both') return [];
  const mode = `hops: ${service.spec.hops}`;
  const problem = (document: Resource, path: Path, sentence: string): ClientProblem => ({
    kind: 'agent',
    document: documentName(document),
    path: formatPath(path),
    sentence,
  });
  const hidden = instances.filter(({ source, application }) => source === 'agent' && !application);
  const named = hidden.map(({ id }) => quote(id)).sort();
  const unreachable = isAgentLeftOut(service) && named.length > 0;
  const routes = documents.filter((each) => each.kind === 'Route');
  return [
    ...(unreachable
      ? [
          problem(
            service,
            ['spec', 'hops'],
            `${mode}: callers go on to dial the agents of ${named.join(', ')}, which have not said where their applications are; start them with --app-advertise`,
          ),
        ]
      : []),
    ...(doCallersRoute(service)
      ? []
      : routes.map((route) =>
          problem(route, ['spec', 'rules'], `${mode}: callers pass requests on without these rules`),
        )),
  ];
}
