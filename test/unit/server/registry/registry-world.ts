/** A registry on a store in memory, at a time that stands still until it is moved. */
import { pino } from 'pino';
import type { InstanceRecord, InstanceState } from '../../../../server/registry/instance.ts';
import { Registry } from '../../../../server/registry/registry.ts';
import { Rush } from '../../../../server/registry/rush.ts';
import type { Lease } from '../../../../server/store/store.ts';
import { MemoryStore } from '../../../support/memory-store.ts';

/** As the control plane sweeps. */
const sweepMs = 500;
const rushMs = 5_000;

export class RegistryWorld {
  readonly shared: MemoryStore;
  readonly registry: Registry;
  readonly rush: Rush;
  /** What callers were told: "r1 passing", "r1 gone". */
  readonly told: string[] = [];
  /** Name of a service -> the service of which it is an alias. */
  readonly aliases = new Map<string, string>();
  #nowMs = 1_000_000;

  constructor(shared = new MemoryStore()) {
    this.shared = shared;
    const clock = () => this.#nowMs;
    this.rush = new Rush(clock);
    this.registry = new Registry({
      store: shared.open(),
      log: pino({ level: 'silent' }),
      clock,
      rush: this.rush,
      aliasOwner: (service) => this.aliases.get(service),
      onChange: ({ id, state }, isGone) => this.told.push(`${id} ${isGone ? 'gone' : state}`),
    });
  }

  /** One whose server started long ago. */
  static settled(shared?: MemoryStore): RegistryWorld {
    const world = new RegistryWorld(shared);
    world.pass(rushMs);
    return world;
  }

  /** What a server that starts now finds in the store. */
  static async restarted(shared: MemoryStore): Promise<RegistryWorld> {
    const world = new RegistryWorld(shared);
    const { leases } = await shared.open().load();
    world.registry.restore(leases as Lease<InstanceRecord>[]);
    return world;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Time passes, and the registry is swept as often as in life. */
  pass(ms: number): void {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; ) {
      this.#nowMs = Math.min(endMs, this.#nowMs + sweepMs);
      if (this.rush.hasJustEnded()) this.registry.restartGraces();
      this.registry.sweep();
    }
  }

  /** An agent's instance, held by its stream. */
  held(id: string, more: Partial<InstanceRecord> = {}): Promise<unknown> {
    return this.registry.register(instance(id, more), true);
  }

  /** One that lives by its heartbeat. */
  put(id: string, more: Partial<InstanceRecord> = {}): Promise<unknown> {
    return this.registry.register(instance(id, { source: 'rest', ...more }), false);
  }

  state(id: string): InstanceState | undefined {
    return this.registry.instance(ref(id))?.record.state;
  }

  states(): (InstanceState | undefined)[] {
    return this.registry.instances('reviews.default').map(({ record }) => record.state);
  }

  /** When the writes that are under way have been answered. */
  async stored(): Promise<ReadonlyMap<string, InstanceRecord>> {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    const records = [...this.shared.leases.values()].map(({ value }) => value as InstanceRecord);
    return new Map(records.map((record) => [record.id, record]));
  }
}

export function ref(id: string) {
  return { namespace: 'default', service: 'reviews', id };
}

export function instance(id: string, more: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    ...ref(id),
    address: '10.0.0.1',
    ports: { '': 9080 },
    labels: { version: 'v1' },
    weight: 1,
    zone: '',
    source: 'agent',
    ttlMs: 30_000,
    state: 'passing',
    ...more,
  };
}
