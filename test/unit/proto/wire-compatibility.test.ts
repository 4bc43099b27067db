import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import protobuf from 'protobufjs';
import { loadRoot, protoFiles } from '../../../proto/load.ts';
import { renderTypes } from '../../../scripts/generate-proto-types.ts';

/** Fields that are newer than the protos inside @grpc/grpc-js-xds 1.14, each with where it stands upstream. */
const newerFields: Record<string, string> = {
  '.envoy.config.route.v3.WeightedCluster.useHashPolicy': '5 optional google.protobuf.BoolValue', // data-plane-api 2025, route_components.proto, oneof random_value_specifier
  '.envoy.extensions.load_balancing_policies.common.v3.ConsistentHashingLbConfig.hashPolicy':
    '3 repeated envoy.config.route.v3.RouteAction.HashPolicy', // data-plane-api 2025, common.proto
};

const require = createRequire(import.meta.url);
const oracle = dirname(require.resolve('@grpc/grpc-js-xds/package.json'));
const oracleFolders = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) =>
  join(oracle, 'deps', name),
);

function loadOfficial(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    if (target === 'google/protobuf/descriptor.proto') return join(dirname(require.resolve('protobufjs')), target);
    if (target.startsWith('google/protobuf/')) return target;
    const found = oracleFolders.map((folder) => join(folder, target)).find((path) => isReadable(path));
    return found ?? target;
  };
  return root.loadSync([
    'envoy/service/discovery/v3/ads.proto',
    'envoy/service/discovery/v3/discovery.proto',
    'envoy/config/listener/v3/listener.proto',
    'envoy/config/cluster/v3/cluster.proto',
    'envoy/config/route/v3/route.proto',
    'envoy/config/endpoint/v3/endpoint.proto',
    ...['listener/v3/lds', 'route/v3/rds', 'route/v3/srds', 'cluster/v3/cds', 'endpoint/v3/eds', 'secret/v3/sds'].map(
      (name) => `envoy/service/${name}.proto`,
    ),
    'envoy/service/load_stats/v3/lrs.proto',
    'envoy/service/status/v3/csds.proto',
    'envoy/type/matcher/v3/node.proto',
    'envoy/extensions/filters/http/fault/v3/fault.proto',
    'envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto',
    'envoy/extensions/filters/http/router/v3/router.proto',
    'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
    'envoy/extensions/load_balancing_policies/least_request/v3/least_request.proto',
    'envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.proto',
    'envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.proto',
    'envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.proto',
    'envoy/extensions/load_balancing_policies/maglev/v3/maglev.proto',
    'envoy/extensions/filters/http/lua/v3/lua.proto',
    'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
    'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
    'envoy/config/route/v3/scoped_route.proto',
    'envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.proto',
  ]);
}

function isReadable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Number, label and full type of a field, as one line. */
function describeField(field: protobuf.Field): string {
  const type = field.resolvedType?.fullName.slice(1) ?? field.type;
  const label = field instanceof protobuf.MapField ? `map<${field.keyType}>` : field.repeated ? 'repeated' : 'optional';
  return `${field.id} ${label} ${type}`;
}

function* messagesOf(namespace: protobuf.NamespaceBase): Generator<protobuf.Type> {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobuf.Type) yield nested;
    if (nested instanceof protobuf.Namespace) yield* messagesOf(nested);
  }
}

function* enumsOf(namespace: protobuf.NamespaceBase): Generator<protobuf.Enum> {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobuf.Enum) yield nested;
    if (nested instanceof protobuf.Namespace) yield* enumsOf(nested);
  }
}

/** Every way in which our messages and the official ones differ. */
function differences(own: protobuf.Root, official: protobuf.Root): string[] {
  const found: string[] = [];
  for (const type of messagesOf(own)) {
    if (!/^\.(envoy|google\.rpc)\./.test(type.fullName)) continue;
    const theirs = official.lookup(type.fullName, [protobuf.Type]);
    if (!(theirs instanceof protobuf.Type)) {
      found.push(`${type.fullName} is no official message`);
      continue;
    }
    for (const field of type.fieldsArray) {
      const name = `${type.fullName}.${field.name}`;
      const counterpart = theirs.fields[field.name]?.resolve();
      const wanted = counterpart ? describeField(counterpart) : newerFields[name];
      if (describeField(field) !== wanted) found.push(`${name} is ${describeField(field)}, officially ${wanted}`);
      if (counterpart && field.partOf?.name !== counterpart.partOf?.name) found.push(`${name} is in another oneof`);
    }
  }
  for (const type of enumsOf(own)) {
    if (!type.fullName.startsWith('.envoy.')) continue;
    const theirs = official.lookup(type.fullName, [protobuf.Enum]);
    for (const [name, number] of Object.entries(type.values)) {
      if (!(theirs instanceof protobuf.Enum) || theirs.values[name] !== number) found.push(`${type.fullName}.${name}`);
    }
  }
  return found;
}

describe('the own .proto files', () => {
  const official = loadOfficial();

  it('declare every xDS field with the official name, number, label and type', () => {
    expect(differences(loadRoot(), official)).to.deep.equal([]);
  });

  it('are really compared: a wrong number, label, type, oneof and enum value is found', () => {
    const wrong = loadRoot();
    const cluster = wrong.lookupType('envoy.config.cluster.v3.Cluster');
    const timeout = cluster.fields.connectTimeout;
    const loaded = wrong.lookupType('envoy.config.endpoint.v3.ClusterLoadAssignment');
    if (timeout) timeout.id = 5;
    loaded.remove(loaded.get('endpoints') ?? loaded);
    loaded.add(new protobuf.Field('endpoints', 2, 'string'));
    wrong.lookupEnum('envoy.config.core.v3.HealthStatus').values.DRAINING = 4;
    expect(differences(wrong, official)).to.have.lengthOf(3);
  });

  for (const name of [
    'envoy.service.discovery.v3.AggregatedDiscoveryService',
    'envoy.service.load_stats.v3.LoadReportingService',
    'envoy.service.status.v3.ClientStatusDiscoveryService',
  ]) {
    it(`declare the methods of ${name} as officially`, () => {
      const methods = (root: protobuf.Root) =>
        root.lookupService(name).methodsArray.map((m) => [m.name, m.requestType, m.requestStream, m.responseStream]);
      expect(methods(loadRoot())).to.deep.equal(methods(official));
    });
  }

  it('have current generated types', () => {
    expect(readFileSync('proto/types.ts', 'utf8')).to.equal(renderTypes());
  });

  it('stand each in the folder of its package', () => {
    const misplaced = protoFiles().filter((file) => {
      const declared = /^package ([\w.]+);/m.exec(readFileSync(join('proto', file), 'utf8'))?.[1];
      return declared?.replaceAll('.', '/') !== dirname(file);
    });
    expect(misplaced).to.deep.equal([]);
  });
});
