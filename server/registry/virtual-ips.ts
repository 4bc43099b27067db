/**
 * The virtual IP of each service: where its address comes from the hash of its name, so that every server would allot the
 * same; where that is taken, the next that is free. A service keeps its address for ever, also while it is gone: somebody may
 * remember it. Only when the range is full the one goes to another that has been nobody's for longest.
 */
import { createHash } from 'node:crypto';
import type { Logger } from '../../process/log.ts';
import type { Lease, Store } from '../store/store.ts';
import { LeaseKeeper } from './lease-keeper.ts';

/** What a lease stores. */
export interface AllottedIp {
  /** "reviews.default". */
  readonly service: string;
  /** IPv4, as text. */
  readonly address: string;
  /** When the service went, in milliseconds since 1970; null while it is there. */
  readonly goneMs: number | null;
}

/** Agents keep what they had on disk, and look up what is not known to them after that at the latest. */
const rememberedMs = 3_600_000;

const leasePrefix = 'virtual-ip/';

export function isVirtualIpLease(lease: Lease): lease is Lease<AllottedIp> {
  return lease.key.startsWith(leasePrefix);
}

export interface VirtualIpsOptions {
  readonly store: Store;
  readonly log: Logger;
  /** "240.240.0.0/16". */
  readonly range: string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

export class VirtualIps {
  readonly #options: VirtualIpsOptions;
  readonly #leases: LeaseKeeper;
  readonly #range: { readonly first: number; readonly count: number };
  readonly #byService = new Map<string, AllottedIp>();
  readonly #byAddress = new Map<string, AllottedIp>();
  #isFull = false;

  constructor(options: VirtualIpsOptions) {
    this.#options = options;
    this.#leases = new LeaseKeeper(options.store, options.log);
    this.#range = readRange(options.range);
  }

  /** What was allotted before. Addresses outside the range, which was another then, are allotted anew. */
  restore(leases: readonly Lease<AllottedIp>[]): void {
    const sorted = [...leases].sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const lease of sorted) {
      this.#leases.restore(lease);
      const { value } = lease;
      if (this.#isInRange(value.address) && !this.#byAddress.has(value.address)) this.#hold(value);
      else void this.#leases.drop(lease.key);
    }
  }

  /** The address of a service that is there; allots one when it has none. None when the range is full. */
  of(service: string): readonly string[] {
    const present = this.#byService.get(service);
    if (present?.goneMs === null) return [present.address];
    const address = present?.address ?? this.#findFree(service);
    if (address === undefined) {
      this.#tellFull();
      return [];
    }
    this.#keep({ service, address, goneMs: null });
    return [address];
  }

  /** The service is gone. It keeps its address. */
  release(service: string): void {
    const present = this.#byService.get(service);
    if (present?.goneMs === null) this.#keep({ ...present, goneMs: this.#options.wallClock() });
  }

  /** The store may not have taken everything. To be called from time to time. */
  sweep(): void {
    this.#leases.retry();
  }

  #findFree(service: string): string | undefined {
    const { first, count } = this.#range;
    if (this.#byAddress.size >= count) return this.#takeOldest();
    const hash = createHash('sha256').update(service).digest().readUInt32BE(0);
    for (let step = 0; step < count; step++) {
      const address = addressOf(first + ((hash + step) % count));
      if (!this.#byAddress.has(address)) return address;
    }
    return undefined;
  }

  #takeOldest(): string | undefined {
    let oldest: (AllottedIp & { readonly goneMs: number }) | undefined;
    for (const { goneMs, ...rest } of this.#byAddress.values()) {
      if (goneMs !== null && (oldest === undefined || goneMs < oldest.goneMs)) oldest = { ...rest, goneMs };
    }
    if (oldest === undefined || this.#options.wallClock() - oldest.goneMs < rememberedMs) return undefined;
    this.#byService.delete(oldest.service);
    this.#byAddress.delete(oldest.address);
    void this.#leases.drop(leasePrefix + oldest.service);
    return oldest.address;
  }

  #keep(allotted: AllottedIp): void {
    const isNew = !this.#byService.has(allotted.service);
    this.#hold(allotted);
    const key = leasePrefix + allotted.service;
    void (isNew ? this.#leases.claim(key, allotted) : this.#leases.change(key, allotted));
  }

  #hold(allotted: AllottedIp): void {
    this.#byService.set(allotted.service, allotted);
    this.#byAddress.set(allotted.address, allotted);
  }

  #isInRange(address: string): boolean {
    const number = numberOf(address);
    return number >= this.#range.first && number < this.#range.first + this.#range.count;
  }

  #tellFull(): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#options.log.error(
      { range: this.#options.range },
      'all virtual IPs are allotted: new services have none; start the server with a larger --vip-range',
    );
  }
}

/** Without the first address, which stands for the range, and the last, which may mean everybody. */
function readRange(range: string): { readonly first: number; readonly count: number } {
  const [address = '', bits = ''] = range.split('/');
  const size = 2 ** (32 - Number(bits));
  const base = Math.floor(numberOf(address) / size) * size;
  return { first: base + 1, count: size - 2 };
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function addressOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
