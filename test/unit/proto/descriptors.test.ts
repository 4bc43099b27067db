import { expect } from 'chai';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { describeFiles } from '../../../proto/descriptors.ts';
import { loadRoot, protoFiles } from '../../../proto/load.ts';

/** What matters of every message, enum and method, a line each, sorted. */
function linesOf(namespace: protobuf.NamespaceBase): string[] {
  return namespace.nestedArray.flatMap((object): string[] => {
    const name = object.fullName;
    if (object instanceof protobuf.Enum) return [`${name} ${JSON.stringify(object.values)}`];
    if (object instanceof protobuf.Service) {
      return object.methodsArray.map((method) => {
        const ends = [object.lookupType(method.requestType), object.lookupType(method.responseType)];
        const streams = [method.requestStream === true, method.responseStream === true];
        return `${name}.${method.name} ${ends.map((end) => end.fullName).join()} ${streams.join()}`;
      });
    }
    if (!(object instanceof protobuf.Type)) return object instanceof protobuf.Namespace ? linesOf(object) : [];
    const fields = object.fieldsArray.map((field) => {
      const map = field instanceof protobuf.MapField ? `map ${field.keyType} ` : '';
      const type = field.resolvedType?.fullName ?? field.type;
      return `${name}.${field.name} ${field.id} ${map}${field.repeated ? 'repeated ' : ''}${type} ${field.partOf?.name}`;
    });
    return [...fields, ...linesOf(object)];
  });
}

/** As somebody reads them who has nothing else. */
function readBack(): protobuf.Root {
  const { FileDescriptorSet, FileDescriptorProto } = descriptor;
  const file = describeFiles().map(({ bytes }) => FileDescriptorProto.decode(bytes));
  const root = descriptor.FileDescriptorSet.encode(FileDescriptorSet.create({ file })).finish();
  // The package adds this to protobufjs where its types do not say so.
  const reader: unknown = Reflect.get(protobuf.Root, 'fromDescriptor');
  if (typeof reader !== 'function') throw new Error('protobufjs reads no descriptors');
  return reader(root);
}

const own = (lines: readonly string[]) => lines.filter((line) => !line.startsWith('.google.protobuf.')).sort();

describe('the descriptors of the .proto files', () => {
  it('say the same as the files, by the names of the files', () => {
    const read = own(linesOf(readBack())).filter((line) => !/Entry\.(key|value) /.test(line));
    const wanted = own(linesOf(loadRoot({ keepsFieldNames: true })));
    // A map is read back as what it is on the wire: a list of entries.
    const withoutMaps = (lines: readonly string[]) => lines.filter((line) => !/ map |Entry undefined$/.test(line));
    expect(withoutMaps(read)).to.deep.equal(withoutMaps(wanted));
    expect(wanted).to.include('.envoy.service.discovery.v3.DiscoveryRequest.type_url 4 string undefined');
  });

  it('are there for every file, and name every file that they need', () => {
    const files = describeFiles();
    const names = files.map(({ name }) => name);
    expect(names).to.include.members(protoFiles());
    for (const { dependencies } of files) expect(names).to.include.members([...dependencies]);
  });

  it('have enums that begin with 0, as readers demand', () => {
    const enums = linesOf(loadRoot()).filter((line) => line.includes(' {'));
    expect(enums.filter((line) => !/^\S+ \{"\w+":0[,}]/.test(line))).to.deep.equal([]);
    expect(enums).to.have.length.above(5);
  });
});
