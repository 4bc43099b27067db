/**
 * Snapshots as clients see them that are not ours: made when the first of them asks, then kept as long as the snapshot. A
 * mesh without such clients pays nothing for them.
 */

import { typeUrls } from '../../proto/type-urls.ts';
import { agentProblems } from '../compile/agent-problems.ts';
import { type CompiledService, compileService } from '../compile/compile.ts';
import type { ClientKind, CompiledVariant, ForeignKind } from '../compile/compiled-variant.ts';
import type { EncodedResource } from '../compile/encoded-resource.ts';
import { compileForEnvoy } from '../compile/envoy/compile-envoy.ts';
import { compileEnvoyEndpoints } from '../compile/envoy/endpoints.ts';
import { compileForGrpc } from '../compile/grpc/compile-grpc.ts';
import { compileGrpcEndpoints } from '../compile/grpc/endpoints.ts';
import type { ServiceInput } from '../compile/service-input.ts';
import { resourcesOf, type ServiceSnapshot, withInstances } from './service-snapshot.ts';

type Resources = ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>;

interface Variant {
  /** Type URL -> name -> resource. */
  readonly resources: Resources;
  readonly problems: CompiledVariant['problems'];
}

/** What a kind of client gets in place of what own agents get. */
interface Compiler {
  readonly compile: (input: ServiceInput, own: CompiledService) => CompiledVariant;
  readonly endpoints: (snapshot: ServiceSnapshot) => readonly EncodedResource[];
}

const envoy: Compiler = {
  compile: compileForEnvoy,
  endpoints: (snapshot) =>
    compileEnvoyEndpoints(resourcesOf(snapshot, typeUrls.endpoint), snapshot.instances, () => ''),
};

const grpc: Compiler = {
  compile: compileForGrpc,
  endpoints: ({ endpointRules, instances, input: { policies } }) =>
    compileGrpcEndpoints({ ...endpointRules, instances, policies }),
};

const compilers: Readonly<Record<ForeignKind, Compiler>> = { envoy, grpc };

/** All but endpoints, by what it was compiled from: instances come and go more often than rules change. */
const rules: Readonly<Record<ForeignKind, WeakMap<CompiledService, Variant>>> = {
  envoy: new WeakMap(),
  grpc: new WeakMap(),
};
const whole: Readonly<Record<ForeignKind, WeakMap<ServiceSnapshot, Resources>>> = {
  envoy: new WeakMap(),
  grpc: new WeakMap(),
};

/** Type URL -> name -> resource, as clients of this kind get them. */
export function variantOf(snapshot: ServiceSnapshot, kind: ForeignKind): Resources {
  const present = whole[kind].get(snapshot);
  if (present !== undefined) return present;
  const endpoints = compilers[kind].endpoints(snapshot);
  const { resources } = rulesOf(snapshot, kind);
  const made = new Map(resources).set(typeUrls.endpoint, byName(endpoints));
  if (snapshot.retired.size > 0) keepRetired(made, snapshot, kind);
  whole[kind].set(snapshot, made);
  return made;
}

/** What is taken away stays as it was, but for the instances that come and go. */
function keepRetired(
  resources: Map<string, ReadonlyMap<string, EncodedResource>>,
  { retired, instances }: ServiceSnapshot,
  kind: ForeignKind,
): void {
  const sources = new Set([...retired.values()].map(({ from }) => from));
  // One of each, however many clusters it has: with other instances it is another snapshot.
  const variants = new Map([...sources].map((from) => [from, variantOf(withInstances(from, instances), kind)]));
  for (const typeUrl of [typeUrls.cluster, typeUrls.endpoint]) {
    const kept = [...retired].flatMap(([name, { from }]) => {
      const resource = variants.get(from)?.get(typeUrl)?.get(name);
      return resource === undefined ? [] : [[name, resource] as const];
    });
    resources.set(typeUrl, new Map([...(resources.get(typeUrl) ?? []), ...kept]));
  }
}

/** What its rules ask for and clients of this kind cannot do. */
export function problemsOf(snapshot: ServiceSnapshot, kind: ClientKind): CompiledVariant['problems'] {
  return kind === 'agent' ? agentProblems(snapshot.input) : rulesOf(snapshot, kind).problems;
}

/** Likewise of what is not in force. */
export function problemsOfInput(input: ServiceInput, kind: ClientKind): CompiledVariant['problems'] {
  return kind === 'agent' ? agentProblems(input) : compilers[kind].compile(input, compileService(input)).problems;
}

function rulesOf({ compiled, input }: ServiceSnapshot, kind: ForeignKind): Variant {
  const present = rules[kind].get(compiled);
  if (present !== undefined) return present;
  const { resources, problems } = compilers[kind].compile(input, compiled);
  const made = { resources: byType(resources), problems };
  rules[kind].set(compiled, made);
  return made;
}

function byType(resources: readonly EncodedResource[]): Resources {
  const types = [...new Set(resources.map(({ typeUrl }) => typeUrl))];
  return new Map(types.map((type) => [type, byName(resources.filter(({ typeUrl }) => typeUrl === type))]));
}

function byName(resources: readonly EncodedResource[]): ReadonlyMap<string, EncodedResource> {
  return new Map(resources.map((resource) => [resource.name, resource]));
}
