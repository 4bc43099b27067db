/** The kinds of things that can be asked for, under all their names. */
import type { Kind } from '../model/resource.ts';
import { usageError } from './context.ts';

export type Thing = 'services' | 'routes' | 'trafficpolicies' | 'instances' | 'agents' | 'load' | 'revisions';

const names: Readonly<Record<Thing, readonly string[]>> = {
  services: ['services', 'service', 'svc'],
  routes: ['routes', 'route', 'rt'],
  trafficpolicies: ['trafficpolicies', 'trafficpolicy', 'tp'],
  instances: ['instances', 'instance', 'inst'],
  agents: ['agents', 'agent', 'ag'],
  load: ['load', 'loads'],
  revisions: ['revisions', 'revision', 'rev'],
};

const documents: Readonly<Partial<Record<Thing, Kind>>> = {
  services: 'Service',
  routes: 'Route',
  trafficpolicies: 'TrafficPolicy',
};

/** `svc`, `Service`, `services` … are one thing. */
export function parseThing(text: string): Thing {
  const found = find(text);
  if (found !== undefined) return found;
  throw usageError(`there is no kind "${text}"; there are ${things().join(', ')}`);
}

/** Only kinds that have documents: these can be written and deleted. */
export function parseDocumentKind(text: string): { readonly thing: Thing; readonly kind: Kind } {
  const thing = find(text);
  const kind = thing && documents[thing];
  if (thing !== undefined && kind !== undefined) return { thing, kind };
  const fault = thing === undefined ? `there is no kind "${text}" of documents` : `${thing} have no documents`;
  throw usageError(`${fault}; there are ${Object.keys(documents).join(', ')}`);
}

function find(text: string): Thing | undefined {
  return things().find((thing) => names[thing].includes(text.toLowerCase()));
}

/** `services (service, svc), …` for help texts. */
export const kindsText = things()
  .map((thing) => `${thing} (${names[thing].slice(1).join(', ')})`)
  .join(', ');

function things(): Thing[] {
  return ['services', 'routes', 'trafficpolicies', 'instances', 'agents', 'load', 'revisions'];
}
