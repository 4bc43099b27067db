/**
 * What speaks against an alias that a change brings, beyond what documents say of each other: names that mean something else
 * already, in the registry or to everybody. Pure.
 */
import { aliasName, serviceKey } from '../../model/names.ts';
import type { Path } from '../../model/problem.ts';
import { type Resource, resourceKey } from '../../model/resource.ts';
import type { Service } from '../../model/service.ts';

export interface AliasFault {
  readonly path: Path;
  /** Names every party. */
  readonly message: string;
  /** Whether it is only warned of. */
  readonly isAllowed: boolean;
}

/** What has to be known of the mesh to judge an alias. */
export interface Names {
  /** `mesh.local`. */
  readonly domain: string;
  /** Whether the service, "shop.default", has an instance; a lost one counts. */
  hasInstances(service: string): boolean;
}

/** Labels that the root of DNS delegates and that a person may write by mistake; not all of them, which are thousands. */
const publicLabels: ReadonlySet<string> = new Set(
  'arpa biz com edu gov info int local mil name net onion org test example invalid'.split(' '),
);

/** Faults of the aliases that `after` has and `before` has not. */
export function aliasFaults(before: Resource | null, after: Service, names: Names): AliasFault[] {
  const known = new Set(before?.kind === 'Service' ? before.spec.aliases : []);
  return after.spec.aliases.flatMap((alias, index) => {
    const fault = known.has(alias) ? undefined : faultOf(alias, after, names);
    return fault === undefined ? [] : [{ ...fault, path: ['spec', 'aliases', index] }];
  });
}

function faultOf(alias: string, service: Service, names: Names): Omit<AliasFault, 'path'> | undefined {
  const { namespace, name } = service.metadata;
  const title = `alias "${alias}" of ${resourceKey(service)}`;
  const own = serviceKey(namespace, name);
  const { domain } = names;
  if (alias === domain) return refused(`${title} is the domain of the mesh itself`);
  if (alias.endsWith(`.${domain}`) && alias !== `${own}.${domain}`) {
    const message = `${title} is below the domain of the mesh, "${domain}", where each service and instance has its own name and no other`;
    return refused(message);
  }
  const other = instancesWith(alias, service, names);
  if (other !== undefined) {
    return refused(`${title} is the name of the service "${other}", which has instances; remove these first`);
  }
  if (!publicLabels.has(alias)) return undefined;
  const message = `${title} is a domain of the public DNS: agents answer "${alias}" itself with the service, and not what lies below it`;
  return { message, isAllowed: true };
}

function refused(message: string): Omit<AliasFault, 'path'> {
  return { message, isAllowed: false };
}

/** The service that has this name and instances, though it is an alias of another; undefined when there is none. */
export function instancesWith(
  alias: string,
  { metadata }: Service,
  { hasInstances }: Pick<Names, 'hasInstances'>,
): string | undefined {
  const name = aliasName(metadata.namespace, alias);
  if (name === serviceKey(metadata.namespace, metadata.name)) return undefined;
  return hasInstances(name) ? name : undefined;
}
