/**
 * A control plane in memory, as honest as the real one and without its store and streams: revisions, conditions,
 * conflicts, history, instances; agents whose applying the test decides.
 */

import type {
  AgentInfo,
  ClientProblemInfo,
  ClusterLoad,
  ControlPlane,
  InstanceInfo,
  InstanceRef,
  MeshEvent,
  Rollout,
  RuleChange,
  RuleChanged,
  ServiceInfo,
} from '../../../dashboard-api/ports.ts';
import { conflictProblems, findConflicts } from '../../../model/conflicts.ts';
import { MeshError } from '../../../model/errors.ts';
import { canonicalJson, type Resource, type ResourceId, resourceIdKey, resourceKey } from '../../../model/resource.ts';
import type { ResourceChange, RevisionRecord, StoredResource } from '../../../model/revision.ts';

export const someAgent: AgentInfo = {
  id: 'web-1',
  namespace: 'default',
  service: 'web',
  kind: 'agent',
  state: 'current',
  detail: '',
  connected: true,
  revision: { sent: 0, applied: 0 },
  touched: 0,
  nack: null,
  names: ['reviews'],
  version: '0.1.0',
  lastSeen: '2026-01-01T00:00:00.000Z',
};

export class FakeControlPlane {
  readonly #standing = new Map<string, StoredResource>();
  readonly #history: RevisionRecord[] = [];
  readonly #instances = new Map<string, InstanceInfo>();
  readonly #listeners = new Set<(event: MeshEvent) => void>();
  readonly #agents = new Map<string, AgentInfo>();
  readonly #waiting = new Set<() => void>();
  /** What clients report; with a filter by client, nothing. */
  loads: readonly ClusterLoad[] = [];
  problems: readonly ClientProblemInfo[] = [];
  /** What /readyz says. */
  ready = true;
  /** Thrown by the next change, as a store would. */
  failure: unknown;
  /** How many waits were called off. */
  abortedWaits = 0;

  get listeners(): number {
    return this.#listeners.size;
  }

  get waits(): number {
    return this.#waiting.size;
  }

  get revision(): number {
    return this.#history.at(-1)?.revision ?? 0;
  }

  emit(event: MeshEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  setAgent(agent: Partial<AgentInfo>): void {
    const whole = { ...someAgent, ...agent };
    this.#agents.set(`${whole.namespace}/${whole.id}`, whole);
    this.emit({ is: 'agent', agent: whole, gone: false });
    for (const look of [...this.#waiting]) look();
  }

  /** What the server would hand to the API. */
  get ports(): ControlPlane {
    const fake = this;
    return {
      defaultNamespace: 'default',
      rules: {
        get revision() {
          return fake.revision;
        },
        change: (change) => this.#change(change),
        rollback: (revision, { by, message }) => this.#rollback(revision, by, message),
        list: (kind) => [...this.#standing.values()].filter(({ resource }) => resource.kind === kind),
        get: (id) => this.#standing.get(resourceIdKey(id)),
        revisionRecord: async (revision) => this.#history.find((record) => record.revision === revision),
        revisions: async ({ before = Number.POSITIVE_INFINITY, limit }) =>
          this.#history
            .filter(({ revision }) => revision < before)
            .reverse()
            .slice(0, limit),
        resourcesAt: async (revision) => [...this.#at(revision).values()],
      },
      registry: {
        services: () => this.#services(),
        instances: (namespace, service) => {
          const known = this.#services().some((info) => info.namespace === namespace && info.name === service);
          if (!known) throw new MeshError('SERVICE_NOT_FOUND', [`${service}.${namespace}`]);
          return this.#of(namespace, service);
        },
        register: async ({ ttlMs: _ttl, ...rest }) => {
          const created = !this.#instances.has(keyOf(rest));
          const instance: InstanceInfo = { ...rest, state: 'passing', source: 'rest', lastSeen: someAgent.lastSeen };
          return { instance: this.#put(instance), created };
        },
        heartbeat: async (ref) => this.#put(this.#instance(ref)),
        drain: async (ref) => this.#put({ ...this.#instance(ref), state: 'draining' }),
        deregister: async (ref) => {
          const instance = this.#instance(ref);
          this.#instances.delete(keyOf(ref));
          this.emit({ is: 'instance', instance, gone: true });
        },
      },
      agents: {
        agents: () => [...this.#agents.values()],
        agent: (namespace, id) => this.#agents.get(`${namespace}/${id}`),
        config: (_namespace, id) => ({ 'type.googleapis.com/sluice.v1.Name': { reviews: { version: '1', for: id } } }),
        rollout: (revision) => this.#rollout(revision),
        waitFor: (revision, timeoutMs, signal) => this.#waitFor(revision, timeoutMs, signal),
      },
      problems: { problems: () => [...this.problems] },
      loads: { loads: async ({ client }) => (client === undefined ? this.loads : []) },
      events: {
        subscribe: (listener) => {
          this.#listeners.add(listener);
          return { close: () => this.#listeners.delete(listener) };
        },
      },
      health: {
        readiness: () => ({ ready: this.ready, body: { revision: this.revision } }),
        metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'sluice_revision 0\n' }),
      },
    };
  }

  async #change(change: RuleChange): Promise<RuleChanged> {
    if (this.failure !== undefined) throw this.failure;
    if (change.ifRevision !== undefined && change.ifRevision !== this.revision) {
      throw new MeshError('REVISION_CONFLICT', [this.revision]);
    }
    const touched = [...change.put.map(({ resource }) => resourceKey(resource)), ...change.remove.map(resourceIdKey)];
    for (const key of touched) {
      const now = this.#standing.get(key)?.revision ?? 0;
      const wanted = change.ifResourceRevision;
      if (wanted !== undefined && wanted !== now) throw new MeshError('ETAG_CONFLICT', [key, now]);
    }
    const after = new Map([...this.#standing].map(([key, { resource }]) => [key, resource]));
    for (const key of change.remove.map(resourceIdKey)) after.delete(key);
    for (const [key, { metadata }] of after) {
      const labels = Object.entries(change.prune ?? {});
      const isPruned = labels.length > 0 && labels.every(([name, value]) => metadata.labels[name] === value);
      if (isPruned && !touched.includes(key)) after.delete(key);
    }
    for (const { resource } of change.put) after.set(resourceKey(resource), resource);
    const problems = conflictProblems(findConflicts([...after.values()]), change.put);
    if (problems.length > 0) throw MeshError.ofProblems('INVALID_DOCUMENTS', problems);
    return this.#commit(after, change);
  }

  async #rollback(revision: number, by: string, message: string): Promise<RuleChanged> {
    return this.#commit(this.#at(revision), {
      by,
      message: message || `rollback to revision ${revision}`,
      dryRun: false,
    });
  }

  #commit(
    after: ReadonlyMap<string, Resource>,
    { by, message, dryRun }: { by: string; message: string; dryRun: boolean },
  ): RuleChanged {
    const keys = [...new Set([...this.#standing.keys(), ...after.keys()])].sort();
    const changes = keys.flatMap((key) => changeOf(this.#standing.get(key)?.resource ?? null, after.get(key) ?? null));
    if (dryRun || changes.length === 0) return { revision: this.revision, changes, warnings: [] };
    const record = { revision: this.revision + 1, at: someAgent.lastSeen, by, message, changes };
    this.#history.push(record);
    for (const change of changes) {
      if (change.after === null) this.#standing.delete(resourceIdKey(change));
      else this.#standing.set(resourceIdKey(change), { resource: change.after, revision: record.revision });
    }
    this.emit({ is: 'revision', record });
    return { revision: record.revision, changes, warnings: [] };
  }

  #at(revision: number): Map<string, Resource> {
    if (revision > this.revision) throw new MeshError('REVISION_NOT_FOUND', [revision]);
    const standing = new Map<string, Resource>();
    for (const { changes } of this.#history.filter((record) => record.revision <= revision)) {
      for (const change of changes) {
        if (change.after === null) standing.delete(resourceIdKey(change));
        else standing.set(resourceIdKey(change), change.after);
      }
    }
    return standing;
  }

  #services(): ServiceInfo[] {
    const declared = [...this.#standing.values()].flatMap(({ resource, revision }) =>
      resource.kind === 'Service' ? [{ ...resource.metadata, revision, spec: resource.spec }] : [],
    );
    const implicit = [...this.#instances.values()].map(({ namespace, service }) => ({ namespace, name: service }));
    const infos = new Map<string, ServiceInfo>();
    const virtualIps = ['240.240.0.1'];
    for (const { namespace, name } of implicit) {
      const ports = [{ name: 'http', port: 80, protocol: 'http' }];
      const instances = this.#count(namespace, name);
      infos.set(`${namespace}/${name}`, {
        namespace,
        name,
        declared: false,
        ports,
        aliases: [],
        virtualIps,
        instances,
        revision: 0,
      });
    }
    for (const { namespace, name, revision, spec } of declared) {
      const { ports, aliases } = spec;
      const instances = this.#count(namespace, name);
      infos.set(`${namespace}/${name}`, {
        namespace,
        name,
        declared: true,
        ports,
        aliases,
        virtualIps,
        instances,
        revision,
      });
    }
    return [...infos.values()];
  }

  #count(namespace: string, service: string): ServiceInfo['instances'] {
    const counts = { starting: 0, passing: 0, failing: 0, draining: 0, lost: 0 };
    for (const { state } of this.#of(namespace, service)) counts[state]++;
    return counts;
  }

  #of(namespace: string, service: string): InstanceInfo[] {
    return [...this.#instances.values()].filter((one) => one.namespace === namespace && one.service === service);
  }

  #instance(ref: InstanceRef): InstanceInfo {
    const found = this.#instances.get(keyOf(ref));
    if (found === undefined) throw new MeshError('INSTANCE_NOT_FOUND', [ref.service, ref.id]);
    return found;
  }

  #put(instance: InstanceInfo): InstanceInfo {
    this.#instances.set(keyOf(instance), instance);
    this.emit({ is: 'instance', instance, gone: false });
    return instance;
  }

  #rollout(revision: number): Rollout {
    const agents = [...this.#agents.values()];
    const ids = (state: AgentInfo['state'], reason: string) =>
      agents.filter((agent) => agent.state === state).map(({ id, detail }) => ({ id, reason: detail || reason }));
    const pending = [...ids('pending', 'not applied yet'), ...ids('disconnected', 'not connected')];
    const applied = agents.filter(({ state }) => state === 'current').length;
    const rejected = ids('rejected', 'refused');
    const phase = pending.length + rejected.length === 0 ? 'complete' : 'applying';
    return { revision, phase, retired: 0, agents: agents.length, applied, pending, rejected, gone: [] };
  }

  #waitFor(revision: number, timeoutMs: number, signal: AbortSignal): Promise<Rollout> {
    return new Promise((resolve, reject) => {
      const end = (finish: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        finish();
      };
      const look = (): void => {
        const now = this.#rollout(revision);
        if (now.pending.length === 0 || now.rejected.length > 0) end(() => resolve(now));
      };
      const timer = setTimeout(() => end(() => resolve(this.#rollout(revision))), timeoutMs);
      this.#waiting.add(look);
      signal.addEventListener('abort', () => {
        this.abortedWaits++;
        end(() => reject(signal.reason));
      });
      look();
    });
  }
}

function changeOf(before: Resource | null, after: Resource | null): ResourceChange[] {
  const named = after ?? before;
  if (named === null) return [];
  if (before !== null && after !== null && canonicalJson(before) === canonicalJson(after)) return [];
  const id: ResourceId = { kind: named.kind, namespace: named.metadata.namespace, name: named.metadata.name };
  return [{ ...id, action: before === null ? 'created' : after === null ? 'deleted' : 'updated', before, after }];
}

function keyOf({ namespace, service, id }: InstanceRef): string {
  return `${namespace}/${service}/${id}`;
}
