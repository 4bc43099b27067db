/**
 * Several applications in one process: an agent for each, one admin port, one set of packet rules. Entries come, go and change
 * while it runs; those that stay as they are notice nothing of it.
 */
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import type { Logger } from '../../process/log.ts';
import { startAdmin } from '../admin/admin-server.ts';
import type { Readiness } from '../admin/readiness.ts';
import { type AgentContext, type AgentCore, startCore } from '../agent-core.ts';
import type { EntrySettings, SharedSettings } from '../agent-settings.ts';
import { addressesInWords } from '../listeners.ts';
import type { PacketRules } from '../packet-rules.ts';
import type { Running } from '../start.ts';
import { changesBetween } from './entry-changes.ts';
import { KeptPorts } from './kept-ports.ts';

/** An application, and its agent. */
interface Entry {
  readonly settings: EntrySettings;
  readonly core: AgentCore;
  readonly log: Logger;
}

export class SharedAgent implements Running {
  readonly #context: AgentContext;
  readonly #ports = new KeptPorts();
  #settings: SharedSettings;
  /** By id, in the order of the file. */
  #entries: ReadonlyMap<string, Entry> = new Map();
  /** Entries that are no more, until they have ended. Packet rules still lead to those that callers may not know of. */
  readonly #leaving = new Map<Entry, { isTaken: boolean; readonly ended: Promise<void> }>();
  #rules: PacketRules | undefined;
  #admin: { readonly address: HostPort; close(): Promise<void> } | undefined;
  /** One change after the other. */
  #lastChange: Promise<void> = Promise.resolve();
  #isEnding = false;

  private constructor(settings: SharedSettings, context: AgentContext) {
    this.#settings = settings;
    this.#context = context;
  }

  /** Rejects with a sentence when one of the entries, the admin port or the packet rules cannot be had; then nothing runs. */
  static async start(settings: SharedSettings, context: AgentContext): Promise<SharedAgent> {
    const agent = new SharedAgent(settings, context);
    try {
      await agent.#start();
      return agent;
    } catch (cause) {
      await agent.#rules?.remove();
      await agent.close();
      throw cause;
    }
  }

  get adminAddress(): HostPort {
    return this.#admin?.address ?? this.#settings.admin;
  }

  get ready(): Promise<void> {
    return Promise.all(this.#cores.map(({ ready }) => ready)).then(() => {});
  }

  get readiness(): Readiness {
    const each = [...this.#entries].map(([id, { core }]) => ({ id, ...core.readiness() }));
    return {
      ready: each.every(({ ready }) => ready),
      stale: each.some(({ stale }) => stale),
      revision: Math.max(...each.map(({ revision }) => revision)),
      reason: each.flatMap(({ id, reason }) => (reason === '' ? [] : [`${id}: ${reason}`])).join('; '),
    };
  }

  /**
   * Runs what these settings say. What cannot be done is told to the log and left as it is; resolves when all has been done
   * but for the end of entries that are no more.
   */
  reload(settings: SharedSettings): Promise<void> {
    const change = this.#lastChange.then(() => this.#reload(settings));
    this.#lastChange = change.catch((cause: unknown) => {
      this.#context.log.error({ err: cause }, 'the entries could not be changed');
    });
    return this.#lastChange;
  }

  async drain(): Promise<void> {
    this.#isEnding = true;
    await this.#lastChange;
    await Promise.all(this.#cores.map((core) => core.drain()));
  }

  async closeInbound(): Promise<void> {
    await Promise.all(this.#cores.map((core) => core.closeInbound()));
  }

  /** Does nothing without any. */
  async removeRules(): Promise<void> {
    await this.#rules?.remove();
  }

  async close(): Promise<void> {
    await this.#admin?.close();
    await Promise.all([
      ...this.#cores.map((core) => core.close()),
      ...[...this.#leaving.values()].map(({ ended }) => ended),
    ]);
  }

  reopenAccessLog(): void {
    for (const core of this.#allCores) core.reopenAccessLog();
  }

  async cutOff(): Promise<number> {
    const counts = await Promise.all(this.#allCores.map((core) => core.cutOff()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  get #cores(): AgentCore[] {
    return [...this.#entries.values()].map(({ core }) => core);
  }

  get #allCores(): AgentCore[] {
    return [...this.#cores, ...[...this.#leaving.keys()].map(({ core }) => core)];
  }

  async #start(): Promise<void> {
    const { entries, admin } = this.#settings;
    for (const settings of entries) await this.#add(settings);
    const agents = () => new Map([...this.#entries].map(([id, { core }]) => [id, core]));
    this.#admin = await startAdmin({ listen: admin, agents });
    this.#context.log.info(
      { admin: formatHostPort(this.#admin.address), entries: [...this.#entries.keys()] },
      'shared',
    );
    await this.#putRules([...this.#entries.values()]);
    for (const entry of this.#entries.values()) this.#connect(entry);
  }

  async #add(settings: EntrySettings): Promise<void> {
    const entry = await this.#startEntry(settings);
    this.#entries = new Map([...this.#entries, [settings.id, entry]]);
  }

  /** Before the one of the same id ends, if there is one. */
  async #startEntry(settings: EntrySettings): Promise<Entry> {
    const log = this.#context.log.child({ entry: settings.id });
    const predecessor = this.#predecessorOf(settings)?.core;
    const core = await startCore(settings, { ...this.#context, log, open: this.#ports, predecessor });
    log.info(addressesInWords(core.addresses), 'listening');
    return { settings, core, log };
  }

  /** Who holds the state directory, and with it the word at the control plane. */
  #predecessorOf({ id, stateDir }: EntrySettings): Entry | undefined {
    const same = [...this.#entries.values(), ...this.#leaving.keys()].find(({ settings }) => settings.id === id);
    return same?.settings.stateDir === stateDir ? same : undefined;
  }

  #connect({ core, log }: Entry): void {
    core.connect();
    void core.ready.then(() => {
      const { reason, revision } = core.readiness();
      log.info({ revision }, reason === '' ? 'ready' : `ready: ${reason}`);
    });
  }

  async #reload(wanted: SharedSettings): Promise<void> {
    if (this.#isEnding || !this.#isSameProcess(wanted)) return;
    const { log } = this.#context;
    const running = [...this.#entries.values()].map(({ settings }) => settings);
    const { added, changed, removed } = changesBetween(running, wanted.entries);
    if (added.length + changed.length + removed.length === 0) return log.info('no entry has changed');
    const started = await this.#startAll([...added, ...changed]);
    const next = new Map(
      wanted.entries.flatMap(({ id }) => {
        const entry = started.get(id) ?? this.#entries.get(id);
        return entry === undefined ? [] : [[id, entry] as const];
      }),
    );
    const gone = removed.flatMap((id) => this.#entries.get(id) ?? []);
    try {
      await this.#putRules([...next.values(), ...gone]);
    } catch (cause) {
      log.error({ err: cause }, 'the packet rules could not be changed: the entries go on as they are');
      await Promise.all([...started.values()].map(({ core }) => core.close()));
      return;
    }
    const predecessors = new Map([...started.values()].map((entry) => [entry, this.#predecessorOf(entry.settings)]));
    const replaced = [...started.keys()].flatMap((id) => this.#entries.get(id) ?? []);
    this.#entries = next;
    for (const entry of gone) this.#leave(entry, true);
    for (const [entry, predecessor] of predecessors) {
      // It would be registered as starting, though it may have been passing.
      await entry.core.appKnown;
      predecessor?.core.disconnect();
      this.#connect(entry);
    }
    for (const entry of replaced) this.#leave(entry, false);
    const ids = (list: readonly EntrySettings[]) => list.flatMap(({ id }) => (started.has(id) ? [id] : []));
    log.info({ added: ids(added), changed: ids(changed), removed }, 'entries have changed');
  }

  /** Those that can be had, by id. */
  async #startAll(all: readonly EntrySettings[]): Promise<Map<string, Entry>> {
    const started = new Map<string, Entry>();
    for (const settings of all) {
      const { id } = settings;
      try {
        started.set(id, await this.#startEntry(settings));
      } catch (cause) {
        const then = this.#entries.has(id) ? 'it goes on as it was' : 'it is left out';
        const why = cause instanceof Error ? cause.message : String(cause);
        this.#context.log.error(
          { entry: id },
          `the entry cannot be started, ${then} until the file is read again: ${why}`,
        );
      }
    }
    return started;
  }

  /** What goes for the whole process stays as it is. */
  #isSameProcess(wanted: SharedSettings): boolean {
    const fixed = (settings: SharedSettings) => ({
      admin: formatHostPort(settings.admin),
      'log-level': settings.logLevel,
      intercept: backendOf(settings.entries),
    });
    const [now, then] = [fixed(this.#settings), fixed(wanted)];
    const backend = this.#rules === undefined ? then.intercept : now.intercept;
    const differing = (['admin', 'log-level'] as const).filter((key) => now[key] !== then[key]);
    const keys = [...differing, ...(backend === then.intercept || then.intercept === undefined ? [] : ['intercept'])];
    if (keys.length === 0) return true;
    this.#context.log.error(
      { settings: keys },
      'these change only when the agent is started anew: the entries go on as they are',
    );
    return false;
  }

  /** To the ports of these; the first goes before those behind it. */
  async #putRules(entries: readonly Entry[]): Promise<void> {
    const backend = backendOf(entries.map(({ settings }) => settings));
    if (backend === undefined && this.#rules === undefined) return;
    const { describeEntries, packetRules } = await import('../packet-rules.ts');
    if (backend !== undefined) this.#rules ??= packetRules(backend, this.#context.log);
    const taken = entries.map(({ settings, core }) => ({ settings, addresses: core.addresses }));
    await this.#rules?.put(describeEntries(taken, this.adminAddress.port));
  }

  /** Ends it in the background. `isLast`: callers have to be told, for nobody takes its place. */
  #leave(entry: Entry, isLast: boolean): void {
    const end = async () => {
      const { core, log } = entry;
      if (isLast) {
        await core.drain();
        own.isTaken = false;
        // Who dials from now on reaches whom he dials.
        const others = [...this.#leaving].flatMap(([each, { isTaken }]) => (isTaken ? [each] : []));
        await this.#putRules([...this.#entries.values(), ...others]).catch((cause: unknown) =>
          log.error({ err: cause }, 'packet rules still lead to an entry that is no more'),
        );
      }
      await core.closeInbound();
      await core.close();
      this.#leaving.delete(entry);
      log.info(isLast ? 'the entry has ended' : 'the entry as it was has ended');
    };
    const own = { isTaken: isLast, ended: Promise.resolve().then(end) };
    this.#leaving.set(entry, own);
  }
}

/** Of those that packet rules lead to; there is one for all. */
function backendOf(entries: readonly EntrySettings[]) {
  const backend = entries.find(({ interception }) => interception !== undefined)?.interception?.backend;
  return backend === 'external' ? undefined : backend;
}
