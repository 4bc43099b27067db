/**
 * A folder a case: `mesh.yaml` (rules) and `instances.yaml` go in, `resources.json` is what is compiled of them, with
 * versions: a version that changes without a reason would be sent to every agent. UPDATE_GOLDEN=1 writes what is now.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import type { MessageType } from '../../proto/load.ts';
import {
  Cluster,
  ClusterLoadAssignment,
  Listener,
  Name,
  RouteConfiguration,
  ScopedRouteConfiguration,
} from '../../proto/types.ts';
import type { EncodedResource } from '../../server/compile/encoded-resource.ts';
import type { InstanceRecord } from '../../server/registry/instance.ts';
import { problemsOf, variantOf } from '../../server/snapshot/variants.ts';
import { instanceOf, ModelMesh } from '../support/model-mesh.ts';

const folder = import.meta.dirname;

type GivenInstance = Partial<InstanceRecord> & { readonly service: string; readonly id: string };

/** `envoy.json`: the same for Envoys, and what they cannot do. */
interface Compiled {
  readonly resources: unknown;
  readonly envoy: unknown;
}

/** Service -> type -> name -> version and content. */
function compileCase(name: string): Compiled {
  const mesh = new ModelMesh();
  const text = readFileSync(join(folder, name, 'mesh.yaml'), 'utf8');
  const file = join(folder, name, 'instances.yaml');
  const instances: GivenInstance[] = existsSync(file) ? parse(readFileSync(file, 'utf8')) : [];
  for (const { service, id, ...more } of instances) mesh.put(instanceOf(service, id, more));
  mesh.apply(text);
  const services = [...mesh.cache.services()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    resources: Object.fromEntries(services.map(({ key, resources }) => [key, describeTypes(resources)])),
    envoy: Object.fromEntries(
      services.map((snapshot) => {
        const problems = problemsOf(snapshot, 'envoy');
        const types = describeTypes(variantOf(snapshot, 'envoy'));
        return [snapshot.key, { ...types, ...(problems.length > 0 && { problems }) }];
      }),
    ),
  };
}

function describeTypes(resources: ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>): object {
  return Object.fromEntries(
    [...resources].map(([typeUrl, named]) => [
      typeUrl.slice(typeUrl.lastIndexOf('.') + 1),
      Object.fromEntries([...named.values()].map((resource) => [resource.name, describeResource(resource)])),
    ]),
  );
}

function describeResource({ typeUrl, version, bytes }: EncodedResource): unknown {
  const content = <T>(type: MessageType<T>) => ({ version, resource: type.toJson(type.decode(bytes)) });
  switch (typeUrl) {
    case Cluster.typeUrl:
      return content(Cluster);
    case ClusterLoadAssignment.typeUrl:
      return content(ClusterLoadAssignment);
    case Listener.typeUrl:
      return content(Listener);
    case RouteConfiguration.typeUrl:
      return content(RouteConfiguration);
    case ScopedRouteConfiguration.typeUrl:
      return content(ScopedRouteConfiguration);
    default:
      return content(Name);
  }
}

describe('what is compiled of', () => {
  const cases = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of cases) {
    it(name.replaceAll('-', ' '), () => {
      for (const [form, compiled] of Object.entries(compileCase(name))) {
        const file = join(folder, name, `${form}.json`);
        if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, `${JSON.stringify(compiled, null, 2)}\n`);
        expect(JSON.parse(JSON.stringify(compiled)), form).to.deep.equal(JSON.parse(readFileSync(file, 'utf8')));
      }
    });
  }

  it('each case, and nothing is left of cases that are gone', () => {
    const known = ['mesh.yaml', 'instances.yaml', 'resources.json', 'envoy.json'];
    const stray = () =>
      cases.flatMap(({ name }) => {
        const files = readdirSync(join(folder, name));
        const isCase = files.includes('mesh.yaml');
        return files.filter((file) => !isCase || !known.includes(file)).map((file) => join(folder, name, file));
      });
    if (process.env.UPDATE_GOLDEN === '1') for (const file of stray()) rmSync(file);
    expect(stray()).to.deep.equal([]);
    expect(cases).to.have.length.greaterThan(8);
  });
});
