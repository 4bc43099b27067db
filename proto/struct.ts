/** google.protobuf.Struct to and from plain values: node and endpoint metadata are read and written as JSON. */
import type { Input } from './load.ts';
import type { Struct, Value } from './types.ts';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Keys go out sorted, so that equal values give equal bytes. */
export function toStruct(object: { readonly [key: string]: Json }): Input<Struct> {
  const keys = Object.keys(object).sort();
  return { fields: Object.fromEntries(keys.map((key) => [key, toValue(object[key] ?? null)])) };
}

export function fromStruct(struct: Struct | null): { [key: string]: Json } {
  return Object.fromEntries(Object.entries(struct?.fields ?? {}).map(([key, value]) => [key, fromValue(value)]));
}

function toValue(json: Json): Input<Value> {
  if (json === null) return { nullValue: 0 };
  if (typeof json === 'boolean') return { boolValue: json };
  if (typeof json === 'number') return { numberValue: json };
  if (typeof json === 'string') return { stringValue: json };
  if (isList(json)) return { listValue: { values: json.map(toValue) } };
  return { structValue: toStruct(json) };
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}

function fromValue(value: Value): Json {
  switch (value.kind) {
    case 'boolValue':
      return value.boolValue;
    case 'numberValue':
      return value.numberValue;
    case 'stringValue':
      return value.stringValue;
    case 'listValue':
      return value.listValue?.values.map(fromValue) ?? [];
    case 'structValue':
      return fromStruct(value.structValue);
    default:
      return null;
  }
}
