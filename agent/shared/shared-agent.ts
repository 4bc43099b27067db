/**
 * Several applications in one process: an agent for each, one admin port, one set of packet rules. Entries come, go and change
 * while it runs; those that stay as they are notice nothing of it.
 */
import { isDeepStrictEqual } from 'node:util';
import { descriptorLimit } from '../../process/descriptor-limit.ts';
import { formatHostPort, type HostPort } from '../../process/host-port.ts';
import { notReadyBefore } from '../admin/admin-agent.ts';
import { startAdmin } from '../admin/admin-server.ts';
import type { Readiness } from '../admin/readiness.ts';
import { type AgentContext, type AgentCore, startCore } from '../agent-core.ts';
import type { EntrySettings, SharedSettings } from '../agent-settings.ts';
import { letGo } from '../letting-go.ts';
import { addressesInWords } from '../listeners.ts';
import type { PacketRules } from '../packet-rules.ts';
import type { Running } from '../start.ts';
import { changesBetween } from './entry-changes.ts';
import { KeptPorts } from './kept-ports.ts';
import { type Entry, LeavingEntries } from './leaving-entries.ts';

/** Longer is not waited for a successor to register when the agent is to end. */
const takeOverMs = 2_000;

export class SharedAgent implements Running {
  readonly #context: AgentContext;
  readonly #ports = new KeptPorts();
  #settings: SharedSettings;
  /** By id, in the order of the file. */
  #entries: ReadonlyMap<string, Entry> = new Map();
  readonly #leaving: LeavingEntries;
  #rules: PacketRules | undefined;
  #admin: { readonly address: HostPort; close(): Promise<void> } | undefined;
  /** One change after the other. */
  #lastChange: Promise<void> = Promise.resolve();
  /** What entries had is their successors', who can give it back. */
  #takenOver: Promise<void> = Promise.resolve();
  #isEnding = false;

  private constructor(settings: SharedSettings, context: AgentContext) {
    this.#settings = settings;
    this.#context = context;
    this.#leaving = new LeavingEntries({
      ...context,
      onTold: () => this.#leadNoMore(),
      onEnded: () => this.#leadNoMore(),
    });
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
    await this.#takenOver;
    this.#leaving.hurry();
    await Promise.all(this.#cores.map((core) => core.drain()));
  }

  letGo(): Promise<void> {
    return letGo(this.#cores, this.#context.clock);
  }

  async closeInbound(): Promise<void> {
    await Promise.all(this.#cores.map((core) => core.closeInbound()));
  }

  /** None until an entry wants some. */
  get rules(): PacketRules | undefined {
    return this.#rules;
  }

  async close(): Promise<void> {
    await this.#admin?.close();
    await Promise.all([...this.#cores.map((core) => core.close()), this.#leaving.ended()]);
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
    return [...this.#cores, ...this.#leaving.all.map(({ core }) => core)];
  }

  async #start(): Promise<void> {
    const { entries, admin } = this.#settings;
    for (const settings of entries) await this.#add(settings);
    let isPrepared = false;
    const agents = () =>
      new Map([...this.#entries].map(([id, { core }]) => [id, notReadyBefore(core, () => isPrepared)]));
    this.#admin = await startAdmin({ listen: admin, agents });
    this.#context.log.info(
      { admin: formatHostPort(this.#admin.address), entries: [...this.#entries.keys()] },
      'serving several applications',
    );
    await this.#putRules([...this.#entries.values()]);
    isPrepared = true;
    for (const entry of this.#entries.values()) this.#connect(entry);
    this.#warnOfDescriptors();
  }

  async #add(settings: EntrySettings): Promise<void> {
    const entry = await this.#startEntry(settings);
    this.#entries = new Map([...this.#entries, [settings.id, entry]]);
  }

  /** While others still have what it is going to have. */
  async #startEntry(settings: EntrySettings): Promise<Entry> {
    const { stateDir, dns } = settings;
    const log = this.#context.log.child({ entry: settings.id });
    const holder = this.#newest((each) => each.stateDir === stateDir);
    const isFixed = dns !== undefined && dns.listen.port !== 0;
    const resolver = isFixed ? this.#newest((each) => isDeepStrictEqual(each.dns?.listen, dns.listen)) : undefined;
    const core = await startCore(settings, {
      ...this.#context,
      log,
      open: this.#ports,
      state: holder?.core.state,
      beforeNames: async () => resolver?.core.closeNames(),
    });
    log.info(addressesInWords(core.addresses), 'listening');
    return { settings, core, log };
  }

  /** Of those that run or are about to end. */
  #newest(isIt: (settings: EntrySettings) => boolean): Entry | undefined {
    return [...this.#leaving.all, ...this.#entries.values()].findLast(({ settings }) => isIt(settings));
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
      log.error(`the packet rules could not be changed, the entries go on as they are: ${sentenceOf(cause)}`);
      await Promise.all([...started.values()].map(({ core }) => core.close()));
      return;
    }
    const predecessors = new Map([...started.keys()].map((id) => [id, this.#newest((each) => each.id === id)]));
    const replaced = [...started.keys()].flatMap((id) => this.#entries.get(id) ?? []);
    this.#entries = next;
    this.#leaving.dismiss(gone);
    // It would be registered as starting, though it may have been passing.
    await Promise.all([...started.values()].map(({ core }) => core.appKnown));
    for (const [id, entry] of started) {
      predecessors.get(id)?.core.disconnect();
      this.#connect(entry);
    }
    this.#takenOver = this.#registeredSoon([...started.values()]);
    this.#leaving.retire(replaced);
    const ids = (list: readonly EntrySettings[]) => list.flatMap(({ id }) => (started.has(id) ? [id] : []));
    log.info({ added: ids(added), changed: ids(changed), removed }, 'entries have changed');
    this.#warnOfDescriptors();
  }

  /** Resolves when these are registered, or after 2 s. */
  #registeredSoon(entries: readonly Entry[]): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(takeOverMs, resolve);
      void Promise.all(entries.map(({ core }) => core.registered)).then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Where there are not enough for all, one application can take those of the others. */
  #warnOfDescriptors(): void {
    const allowed = descriptorLimit();
    const needed = [...this.#entries.values()].reduce((sum, { settings }) => sum + descriptorsOf(settings), 0);
    if (allowed === undefined || needed <= allowed) return;
    const sentence =
      'the limits of the entries add up to more descriptors than this process may have: raise that (LimitNOFILE), or lower them';
    this.#context.log.warn({ needed, allowed }, sentence);
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
        const sentence = `the entry cannot be started, ${then} until the file is read again: ${sentenceOf(cause)}`;
        this.#context.log.error({ entry: id }, sentence);
      }
    }
    return started;
  }

  /** What goes for the whole process stays as it is. */
  #isSameProcess({ admin, logLevel, entries }: SharedSettings): boolean {
    const now = this.#settings;
    const backend = backendOf(entries);
    const differing = [
      ...(formatHostPort(admin) === formatHostPort(now.admin) ? [] : ['admin']),
      ...(logLevel === now.logLevel ? [] : ['log-level']),
      ...(backend === undefined || this.#rules === undefined || this.#rules.backend === backend ? [] : ['intercept']),
    ];
    if (differing.length === 0) return true;
    const sentence = 'these change only when the agent is started anew: the entries go on as they are';
    this.#context.log.error({ settings: differing }, sentence);
    return false;
  }

  /** To the ports of these; the first goes before those behind it. */
  async #putRules(entries: readonly Entry[]): Promise<void> {
    const backend = backendOf(entries.map(({ settings }) => settings));
    if (backend === undefined && this.#rules === undefined) return;
    const { describeEntries, packetRules } = await import('../packet-rules.ts');
    if (backend !== undefined) this.#rules ??= packetRules(backend, this.#context.log);
    const taken = entries.map(({ settings, core }) => ({ settings, addresses: core.addresses }));
    const described = describeEntries(taken, this.adminAddress.port);
    // Those that are about to end have connections yet.
    if (described === undefined && this.#leaving.all.length > 0) await this.#rules?.release();
    else await this.#rules?.put(described);
  }

  /** Who dials from now on what has been an entry reaches whom he dials. After a change that is under way: it knows more. */
  #leadNoMore(): Promise<void> {
    this.#lastChange = this.#lastChange
      .then(() => this.#putRules([...this.#entries.values(), ...this.#leaving.known]))
      .catch((cause: unknown) => {
        this.#context.log.error(`packet rules still lead to entries that are no more: ${sentenceOf(cause)}`);
      });
    return this.#lastChange;
  }
}

/** Of clients, and of what their requests are sent over, in both directions. */
function descriptorsOf({ limits: { maxConnections, maxRequests } }: EntrySettings): number {
  return 2 * (maxConnections + maxRequests);
}

/** Of those that packet rules lead to; there is one for all. */
function backendOf(entries: readonly EntrySettings[]) {
  const backend = entries.find(({ interception }) => interception !== undefined)?.interception?.backend;
  return backend === 'external' ? undefined : backend;
}

function sentenceOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
