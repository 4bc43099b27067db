/**
 * The .proto files as descriptors (google.protobuf.FileDescriptorProto), for tools that ask a server what it speaks. Made
 * from a parse of their own, for field names have to be those of the files.
 */
import { relative, sep } from 'node:path';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { loadRoot } from './load.ts';

/** One .proto file. */
export interface DescribedFile {
  /** As in an import: `envoy/config/core/v3/core.proto`. */
  readonly name: string;
  /** FileDescriptorProto, encoded. */
  readonly bytes: Buffer;
  /** Names of the files that it needs. */
  readonly dependencies: readonly string[];
  /** Full names of all that it declares: messages, enums, services and their methods. */
  readonly symbols: readonly string[];
}

/** What stands in one file, by kind. */
interface Content {
  readonly package: string;
  readonly types: protobuf.Type[];
  readonly enums: protobuf.Enum[];
  readonly services: protobuf.Service[];
}

/** All files of this folder and those of google/protobuf that they need. Takes some 50 ms. */
export function describeFiles(): DescribedFile[] {
  const files = new Map<string, Content>();
  collect(loadRoot({ keepsFieldNames: true }), files);
  return [...files].map(([name, content]) => describeFile(name, content));
}

function collect(namespace: protobuf.NamespaceBase, files: Map<string, Content>): void {
  for (const object of namespace.nestedArray) {
    const isDeclared =
      object instanceof protobuf.Type || object instanceof protobuf.Enum || object instanceof protobuf.Service;
    if (isDeclared) {
      const name = fileOf(object);
      const content = files.get(name) ?? { package: namespace.fullName.slice(1), types: [], enums: [], services: [] };
      files.set(name, content);
      if (object instanceof protobuf.Type) content.types.push(object);
      else if (object instanceof protobuf.Enum) content.enums.push(object);
      else content.services.push(object);
    } else if (object instanceof protobuf.Namespace) collect(object, files);
  }
}

/** Files that protobufjs brings along, by what of them is not called as they are. */
const bundled: Readonly<Record<string, string>> = {
  Value: 'struct',
  ListValue: 'struct',
  NullValue: 'struct',
  DoubleValue: 'wrappers',
  FloatValue: 'wrappers',
  Int64Value: 'wrappers',
  UInt64Value: 'wrappers',
  Int32Value: 'wrappers',
  UInt32Value: 'wrappers',
  BoolValue: 'wrappers',
  StringValue: 'wrappers',
  BytesValue: 'wrappers',
};

/** The file that declares it, or what it is part of. */
function fileOf(object: protobuf.ReflectionObject): string {
  if (object.parent instanceof protobuf.Type) return fileOf(object.parent);
  if (object.filename)
    return relative(import.meta.dirname, object.filename)
      .split(sep)
      .join('/');
  return `google/protobuf/${bundled[object.name] ?? object.name.toLowerCase()}.proto`;
}

function describeFile(name: string, { package: inPackage, types, enums, services }: Content): DescribedFile {
  const dependencies = new Set<string>();
  const symbols: string[] = [];
  const needs = (object: protobuf.ReflectionObject) => {
    if (fileOf(object) !== name) dependencies.add(fileOf(object));
    return object.fullName;
  };
  const file = {
    name,
    package: inPackage,
    syntax: 'proto3',
    messageType: types.map((type) => describeMessage(type, needs)),
    enumType: enums.map(describeEnum),
    service: services.map((service) => describeService(service, needs)),
  };
  for (const object of [...types, ...enums, ...services]) symbols.push(...symbolsOf(object));
  const { FileDescriptorProto } = descriptor;
  const bytes = FileDescriptorProto.encode(
    FileDescriptorProto.fromObject({ ...file, dependency: [...dependencies].sort() }),
  ).finish();
  return { name, bytes: Buffer.from(bytes), dependencies: [...dependencies].sort(), symbols };
}

function symbolsOf(object: protobuf.ReflectionObject): string[] {
  const name = object.fullName.slice(1);
  if (object instanceof protobuf.Type) return [name, ...object.nestedArray.flatMap(symbolsOf)];
  if (object instanceof protobuf.Service)
    return [name, ...object.methodsArray.map((method) => `${name}.${method.name}`)];
  return [name];
}

/** Answers the full name, and notes that the file needs what it stands for. */
type Needs = (object: protobuf.ReflectionObject) => string;

function describeMessage(type: protobuf.Type, needs: Needs): object {
  const nested = type.nestedArray;
  const maps = type.fieldsArray.filter((field) => field instanceof protobuf.MapField);
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => describeField(field, type, needs)),
    oneofDecl: type.oneofsArray.map(({ name }) => ({ name })),
    nestedType: [
      ...nested.filter((each) => each instanceof protobuf.Type).map((each) => describeMessage(each, needs)),
      ...maps.map((field) => describeMapEntry(field, needs)),
    ],
    enumType: nested.filter((each) => each instanceof protobuf.Enum).map(describeEnum),
  };
}

const optional = 1;
const repeated = 3;

function describeField(field: protobuf.Field, type: protobuf.Type, needs: Needs): object {
  const common = { name: snakeCase(field.name), number: field.id, label: field.repeated ? repeated : optional };
  if (field instanceof protobuf.MapField) {
    return { ...common, label: repeated, type: typeNumbers.message, typeName: `${type.fullName}.${entryName(field)}` };
  }
  const oneofIndex = field.partOf ? { oneofIndex: type.oneofsArray.indexOf(field.partOf) } : {};
  return { ...common, ...typeOf(field, needs), ...oneofIndex };
}

/** A map is a list of entries to all that know no maps. */
function describeMapEntry(field: protobuf.MapField, needs: Needs): object {
  return {
    name: entryName(field),
    field: [
      { name: 'key', number: 1, label: optional, type: typeNumbers[field.keyType] },
      { name: 'value', number: 2, label: optional, ...typeOf(field, needs) },
    ],
    options: { mapEntry: true },
  };
}

/** `filter_metadata` is a list of `FilterMetadataEntry`. */
function entryName(field: { readonly name: string }): string {
  return `${field.name.replaceAll(/(?:^|_)(.)/g, (_all, letter: string) => letter.toUpperCase())}Entry`;
}

/** The files of google/protobuf that protobufjs has were parsed without this care. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** google.protobuf.FieldDescriptorProto.Type */
const typeNumbers: Readonly<Record<string, number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
};

function typeOf({ type, resolvedType }: Pick<protobuf.Field, 'type' | 'resolvedType'>, needs: Needs): object {
  if (!resolvedType) return { type: typeNumbers[type] };
  const kind = resolvedType instanceof protobuf.Enum ? 'enum' : 'message';
  return { type: typeNumbers[kind], typeName: needs(resolvedType) };
}

function describeEnum({ name, values }: protobuf.Enum): object {
  return { name, value: Object.entries(values).map(([word, number]) => ({ name: word, number })) };
}

function describeService(service: protobuf.Service, needs: Needs): object {
  const method = service.methodsArray.map((each) => {
    const { name, requestStream = false, responseStream = false } = each;
    // Resolved with the root: a file that names what is not there could not have been loaded.
    const [input, output] = [service.lookupType(each.requestType), service.lookupType(each.responseType)];
    return {
      name,
      inputType: needs(input),
      outputType: needs(output),
      clientStreaming: requestStream,
      serverStreaming: responseStream,
    };
  });
  return { name: service.name, method };
}
