/**
 * Maglev (Eisenbud et al., 2016), as Envoy has it: a table of prime size in which instances claim slots in turn, each in
 * an order of its own. Shares are exact to one slot, a request costs one look; when an instance leaves, hardly any key of
 * others moves.
 */
import { combine, hash53 } from '../../routing/hash.ts';
import type { HashTable } from './hash-table.ts';

/**
 * Envoy's default, whatever the number of instances: a size that followed it would move all keys whenever it changed. A
 * slot is one byte with up to 256 instances, two with up to 65,536.
 */
const size = 65_537;

export function createMaglev(keys: readonly string[], weights: readonly number[]): HashTable {
  const orders = keys.map(orderOf);
  const heaviest = weights.reduce((a, b) => Math.max(a, b));
  /** The weight of the turns that each has had; a turn is due once those of the heaviest have outweighed it. */
  const claimed = new Float64Array(keys.length);
  const slots = new Int32Array(size).fill(free);
  let filled = 0;
  for (let round = 1; filled < size; round++) {
    for (let owner = 0; owner < orders.length && filled < size; owner++) {
      const order = orders[owner];
      if (order === undefined || round * (weights[owner] ?? 0) < (claimed[owner] ?? 0)) continue;
      claimed[owner] = (claimed[owner] ?? 0) + heaviest;
      slots[nextFree(order, slots)] = owner;
      filled++;
    }
  }
  return new MaglevTable(smallest(slots, keys.length));
}

class MaglevTable implements HashTable {
  readonly #slots: Slots;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  find(hash: number): number {
    return slotOf(hash);
  }

  /** Anywhere else: the keys of one that cannot be asked are spread over all others, by their weights. */
  next(hash: number, _place: number, step: number): number {
    return slotOf(combine(hash, step + 1));
  }

  instanceAt(place: number): number {
    return this.#slots[place] ?? 0;
  }
}

type Slots = Uint8Array | Uint16Array | Int32Array;

const free = -1;

/** In which order an instance claims slots: from `slot` on in strides of `skip`, which leads to all of them. */
interface Order {
  slot: number;
  readonly skip: number;
}

function orderOf(key: string): Order {
  const hash = hash53(key);
  return { slot: slotOf(hash), skip: 1 + (Math.floor(combine(hash, size) / 2 ** 21) % (size - 1)) };
}

/** Its next slot that nobody has claimed; there is one as long as the table is not full. */
function nextFree(order: Order, slots: Int32Array): number {
  let { slot } = order;
  while (slots[slot] !== free) slot = slot + order.skip < size ? slot + order.skip : slot + order.skip - size;
  order.slot = slot;
  return slot;
}

function slotOf(hash: number): number {
  return Math.floor(hash / 2 ** 21) % size;
}

function smallest(slots: Int32Array, instances: number): Slots {
  if (instances <= 2 ** 8) return Uint8Array.from(slots);
  return instances <= 2 ** 16 ? Uint16Array.from(slots) : slots;
}
