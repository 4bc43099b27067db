/**
 * The agents' own stream: registration, health, drain. A registration lives with its stream; when the stream is lost its
 * grace begins. The same key takes an id over; another key only when the agent that has it does not answer any more.
 */
import { MeshError } from '../../model/errors.ts';
import { serviceKey } from '../../model/names.ts';
import type { Logger } from '../../process/log.ts';
import type { Input } from '../../proto/load.ts';
import type { AgentMessage, ServerMessage } from '../../proto/types.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { status } from '../grpc/status.ts';
import type { InstanceRecord, InstanceState } from '../registry/instance.ts';
import type { Registry } from '../registry/registry.ts';
import type { AgentDirectory } from '../status/agent-directory.ts';
import { type AgentRecord, agentKey } from '../status/agent-record.ts';
import { type Registration, readHello, stateOf } from './hello.ts';

/** How long an agent has to show that it is alive when another claims its id, and how long to introduce itself. */
const patience = { pingMs: 2_000, helloMs: 10_000 };

/** The longest that a draining agent may ask the server to wait. */
const drainAtMostMs = 60_000;

export interface AgentServiceOptions {
  readonly meshId: string;
  readonly serverId: string;
  readonly log: Logger;
  readonly registry: Registry;
  readonly directory: AgentDirectory;
  readonly revision: () => number;
  /** Resolves when every agent but this that holds the service uses its present state, or with the ids of those who do not. */
  readonly waitUntilUsed: (service: string, timeoutMs: number, except: AgentRecord) => Promise<readonly string[]>;
  /** Shorter in tests. */
  readonly patience?: { readonly pingMs: number; readonly helloMs: number };
}

type Call = ServerCall<AgentMessage, Input<ServerMessage>>;

export class AgentService {
  readonly #options: AgentServiceOptions;
  readonly #patience: typeof patience;
  /** Agent key -> its stream. */
  readonly #streams = new Map<string, AgentStream>();
  /** Agent key -> the newest claim of it: claims are dealt with one after the other. */
  readonly #claims = new Map<string, Promise<unknown>>();
  readonly #calls = new Set<Call>();
  #isServing = false;

  constructor(options: AgentServiceOptions) {
    this.#options = options;
    this.#patience = options.patience ?? patience;
  }

  start(): void {
    this.#isServing = true;
  }

  readonly handle = (call: Call): void => {
    if (!this.#isServing) {
      call.end(status.UNAVAILABLE, 'the server is loading or shutting down');
      return;
    }
    this.#calls.add(call);
    let opened: Promise<AgentStream | undefined> | undefined;
    const timeout = setTimeout(() => call.end(status.DEADLINE_EXCEEDED, 'no hello came'), this.#patience.helloMs);
    call.onMessage = (first) => {
      clearTimeout(timeout);
      // What follows the hello waits, with the client, until it has been dealt with: that may take as long as an earlier claim of the id.
      call.pause();
      opened = this.#introduce(call, first).catch((error: unknown) => this.#refuse(call, error));
      void opened.then((stream) => {
        if (stream === undefined) return;
        call.onMessage = (message) => stream.onMessage(message);
        call.resume();
      });
    };
    call.onOver = () => {
      clearTimeout(timeout);
      this.#calls.delete(call);
      void opened?.then((stream) => stream && this.#onOver(stream));
    };
  };

  close(): void {
    this.#isServing = false;
    for (const call of this.#calls) call.end();
  }

  async #introduce(call: Call, { hello }: AgentMessage): Promise<AgentStream> {
    if (!hello) {
      throw MeshError.ofProblems('INVALID_REGISTRATION', [{ path: '', message: 'the first message must be hello' }]);
    }
    const registration = readHello(hello);
    const key = agentKey(registration.namespace, registration.id);
    const claim = (this.#claims.get(key) ?? Promise.resolve())
      .catch(() => {})
      .then(() => this.#admit(call, registration));
    this.#claims.set(key, claim);
    try {
      return await claim;
    } finally {
      if (this.#claims.get(key) === claim) this.#claims.delete(key);
    }
  }

  async #admit(call: Call, registration: Registration): Promise<AgentStream> {
    await this.#makeWay(registration);
    const { directory, registry, meshId, serverId, revision } = this.#options;
    // Before anything is known of an agent that is refused.
    if (registration.instance) registry.assertNameIsFree(registration.instance);
    const record = await directory.hold(registration);
    record.version = registration.version;
    record.asked = registration.names;
    if (registration.instance) await registry.register(registration.instance, true);
    const stream = new AgentStream(call, registration, record, this.#options);
    this.#streams.set(record.key, stream);
    call.write({ welcome: { meshId, serverId, revision: revision() } });
    return stream;
  }

  /** The id is free, or its holder is this agent's earlier self, or does not answer. Throws AGENT_ID_TAKEN. */
  async #makeWay({ id, namespace, keyHash }: Registration): Promise<void> {
    const key = agentKey(namespace, id);
    const present = this.#streams.get(key);
    if (!present) return;
    if (present.registration.keyHash !== keyHash && (await present.answers(this.#patience.pingMs))) {
      throw new MeshError('AGENT_ID_TAKEN', [id, namespace]);
    }
    present.replace();
    // It may have been another service's instance, which nobody vouches for any more.
    this.#onOver(present);
  }

  #onOver(stream: AgentStream): void {
    const { registration, record } = stream;
    if (this.#streams.get(record.key) !== stream) return;
    this.#streams.delete(record.key);
    const { registry, directory } = this.#options;
    if (registration.instance) registry.release(registration.instance);
    if (stream.isLeaving) directory.forget(record);
    else directory.release(record);
  }

  #refuse(call: Call, error: unknown): undefined {
    const known = MeshError.from(error);
    if (known.code === 'INTERNAL') this.#options.log.error({ err: known.cause }, 'an agent could not be registered');
    call.end(known.grpc, known.toText());
  }
}

/** One agent's stream after its hello. */
class AgentStream {
  readonly registration: Registration;
  readonly record: AgentRecord;
  readonly #call: Call;
  readonly #options: AgentServiceOptions;
  #onPong: (() => void) | undefined;
  /** Another stream speaks for the agent now: what still comes here is of no account. */
  #isReplaced = false;
  /** It has said that it is about to stop. */
  isLeaving = false;

  constructor(call: Call, registration: Registration, record: AgentRecord, options: AgentServiceOptions) {
    this.#call = call;
    this.registration = registration;
    this.record = record;
    this.#options = options;
  }

  onMessage({ message, health, drain, report }: AgentMessage): void {
    if (this.#isReplaced) return;
    const { instance } = this.registration;
    if (message === 'pong') this.#onPong?.();
    if (message === 'health' && instance) this.#setState(stateOf(health));
    if (message === 'drain') void this.#drain(Math.min(drain?.deadlineMs || drainAtMostMs, drainAtMostMs));
    if (message === 'report' && report) {
      this.record.reported = { name: report.condition.slice(0, 100), detail: report.detail.slice(0, 1_000) };
      this.#options.directory.changed(this.record);
    }
  }

  /** Whether the agent is still there: it answers a ping in time. */
  answers(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#onPong = () => {
        clearTimeout(timer);
        resolve(true);
      };
      this.#call.write({ ping: {} });
    });
  }

  /** Another stream has taken its place. */
  replace(): void {
    this.#isReplaced = true;
    this.#call.end(status.ABORTED, 'another stream of this agent has taken over');
  }

  /** An operator may have removed the instance meanwhile. */
  #setState(state: InstanceState): void {
    const { instance } = this.registration;
    if (instance && this.#options.registry.instance(instance)) this.#options.registry.setState(instance, state);
  }

  /** Nobody new is sent to it; it is told when all who might have known it have taken notice. */
  async #drain(deadlineMs: number): Promise<void> {
    this.isLeaving = true;
    const { instance } = this.registration;
    const pending = instance ? await this.#takeOut(instance, deadlineMs) : [];
    this.#call.write({ drained: { pending } });
  }

  async #takeOut(instance: InstanceRecord, deadlineMs: number): Promise<readonly string[]> {
    const { registry, waitUntilUsed } = this.#options;
    this.#setState('draining');
    const pending = await waitUntilUsed(serviceKey(instance.namespace, instance.service), deadlineMs, this.record);
    // The agent may have gone and come back meanwhile: what has been registered anew is another instance.
    if (registry.instance(instance)?.record.state === 'draining') await registry.deregister(instance);
    return pending;
  }
}
