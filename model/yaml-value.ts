/**
 * A YAML document to a plain value of JSON, remembering where each part stands. Refuses what a rule file has no use
 * for: anchors and aliases (a few lines of them can mean gigabytes), tags, keys that are not text.
 */
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Fault } from './parse.ts';
import { type Path, quote } from './problem.ts';
import { describe } from './sentences.ts';

export interface PlacedFault extends Fault {
  readonly offset: number;
}

export interface ReadDocument {
  readonly value: unknown;
  readonly faults: readonly PlacedFault[];
  /** Whether the value at this path, or one around it, could not be read; what a schema says of it means nothing. */
  isUnreadable(path: Path): boolean;
  /** Offset of the value at the path, or else of the nearest one around it; `onKey` asks for its field name instead. */
  offsetOf(path: Path, onKey?: boolean): number;
}

export function readDocument(root: Node): ReadDocument {
  const reader = new NodeReader();
  const value = reader.read(root, []);
  return {
    value,
    faults: reader.faults,
    isUnreadable: (path) =>
      reader.unreadable.size > 0 &&
      [undefined, ...path].some((_, length) => reader.unreadable.has(keyOf(path.slice(0, length)))),
    offsetOf: (path, onKey = false) => {
      let at = value;
      let place = { key: startOf(root), value: startOf(root) };
      for (const segment of path) {
        const offsets = typeof at === 'object' && at !== null ? reader.offsets.get(at) : undefined;
        const next = offsets?.get(segment);
        if (next === undefined) break;
        place = next;
        at = Reflect.get(Object(at), segment);
      }
      return onKey ? place.key : place.value;
    },
  };
}

interface Offsets {
  readonly key: number;
  readonly value: number;
}

class NodeReader {
  readonly faults: PlacedFault[] = [];
  /** Keys of paths, see `keyOf`. */
  readonly unreadable = new Set<string>();
  /** For each map and list that was read: where its parts stand. */
  readonly offsets = new Map<object, Map<string | number, Offsets>>();

  /** Depth is bounded by `readYaml`, so this may call itself. */
  read(node: unknown, path: Path): unknown {
    if (isAlias(node)) return this.#refuse(node, path, 'YAML aliases (*name) are not supported; write the value out');
    this.#refuseProperties(node, path);
    if (isMap(node)) return this.#readMap(node, path);
    if (isSeq(node)) return this.#readList(node, path);
    if (!isScalar(node)) return null;
    if (typeof node.value === 'string' && /\p{Surrogate}/u.test(node.value)) {
      return this.#refuse(node, path, 'is no valid Unicode text: half of a surrogate pair');
    }
    // -0 is 0 to everybody but Object.is; with it two equal documents would differ.
    return node.value === 0 ? 0 : node.value;
  }

  #readMap(map: YAMLMap, path: Path): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    const offsets = new Map<string | number, Offsets>();
    this.offsets.set(value, offsets);
    for (const pair of map.items) {
      const key = this.#readKey(pair, map, path);
      if (key === undefined) continue;
      if (offsets.has(key)) {
        this.#fault(startOf(pair.key), [...path, key], 'is given twice in this map');
        continue;
      }
      const name = startOf(pair.key);
      offsets.set(key, { key: name, value: isWrittenScalar(pair.value) ? startOf(pair.value) : name });
      value[key] = this.read(pair.value, [...path, key]);
    }
    return value;
  }

  #readKey({ key }: Pair, map: YAMLMap, path: Path): string | undefined {
    const offset = key === null ? startOf(map) : startOf(key);
    const refuse = (message: string, at = path) => this.#fault(offset, at, message);
    this.#refuseProperties(key, path);
    if (isAlias(key)) refuse('YAML aliases (*name) are not supported; write the value out');
    else if (!isScalar(key)) refuse('a field name must be text; found a map or a list');
    else if (key.value === '__proto__') refuse('unknown field "__proto__"', [...path, key.value]);
    else if (typeof key.value === 'string') return key.value;
    else if (key.value === null) refuse('a field name is missing; if it is meant to be "null", put it in quotes');
    else refuse(`a field name must be text; put ${describe(key.value)} in quotes`);
    return undefined;
  }

  #readList(list: YAMLSeq, path: Path): unknown[] {
    const value: unknown[] = [];
    const offsets = new Map<string | number, Offsets>();
    this.offsets.set(value, offsets);
    list.items.forEach((item, index) => {
      offsets.set(index, { key: startOf(item), value: startOf(item) });
      value.push(this.read(item, [...path, index]));
    });
    return value;
  }

  #refuseProperties(node: unknown, path: Path): void {
    if (!isMap(node) && !isSeq(node) && !isScalar(node)) return;
    if (node.anchor !== undefined) {
      this.#fault(startOf(node), path, `YAML anchors (&${node.anchor.slice(0, 40)}) are not supported; remove it`);
    }
    if (node.tag !== undefined) {
      this.#refuse(
        node,
        path,
        `YAML tags (${quote(node.tag.replace('tag:yaml.org,2002:', '!!'))}) are not supported; text goes in quotes`,
      );
    }
  }

  #refuse(node: unknown, path: Path, message: string): null {
    this.unreadable.add(keyOf(path));
    this.#fault(startOf(node), path, message);
    return null;
  }

  #fault(offset: number, path: Path, message: string): void {
    this.faults.push({ offset, path, message });
  }
}

/** Whether there is text to point at: the value of `a:` alone is a null that stands nowhere. */
function isWrittenScalar(node: unknown): boolean {
  return isScalar(node) && node.range != null && node.range[1] > node.range[0];
}

function startOf(node: unknown): number {
  return (isMap(node) || isSeq(node) || isScalar(node) || isAlias(node)) && node.range != null ? node.range[0] : 0;
}

/** Distinct for distinct paths, which the readable form is not once it shortens. */
function keyOf(path: Path): string {
  return JSON.stringify(path);
}
