/** The agents' service behind a real gRPC server, on a registry whose time stands still. */
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import type { Input } from '../../../../proto/load.ts';
import { agentService } from '../../../../proto/services.ts';
import { AgentMessage, type ServerMessage } from '../../../../proto/types.ts';
import { AgentService } from '../../../../server/agents/agent-service.ts';
import { GrpcServer } from '../../../../server/grpc/server.ts';
import { AgentDirectory } from '../../../../server/status/agent-directory.ts';
import type { AgentRecord } from '../../../../server/status/agent-record.ts';
import { Rollouts } from '../../../../server/status/rollouts.ts';
import { RegistryWorld } from '../registry/registry-world.ts';

/** A wait until an instance is no longer used; the test says when it is over. */
export interface DrainWait {
  readonly service: string;
  readonly timeoutMs: number;
  readonly except: AgentRecord;
  readonly finish: (pending: readonly string[]) => void;
}

export class AgentsWorld {
  readonly registryWorld = RegistryWorld.settled();
  readonly directory: AgentDirectory;
  readonly service: AgentService;
  readonly drains: DrainWait[] = [];
  /** How often something of an agent has changed. */
  changes = 0;
  readonly #server = new GrpcServer({ log: pino({ level: 'silent' }), onEnded: () => {}, onBroken: () => {} });
  readonly #clients: Client[] = [];
  #address = '';

  constructor(patience = { pingMs: 10_000, helloMs: 10_000 }) {
    const { shared, registry, rush } = this.registryWorld;
    const log = pino({ level: 'silent' });
    this.directory = new AgentDirectory({
      store: shared.open(),
      log,
      clock: () => this.registryWorld.nowMs,
      rush,
      rollouts: new Rollouts(() => {}),
      onAgent: () => this.changes++,
      onUsed: () => {},
    });
    this.service = new AgentService({
      meshId: 'mesh-1',
      serverId: 'server-1',
      log,
      registry,
      directory: this.directory,
      revision: () => 42,
      waitUntilUsed: (service, timeoutMs, except) =>
        new Promise((finish) => this.drains.push({ service, timeoutMs, except, finish })),
      patience,
    });
  }

  async start(): Promise<void> {
    this.#server.add(agentService.connect, this.service.handle);
    this.#address = `127.0.0.1:${await this.#server.listen({ host: '127.0.0.1', port: 0 })}`;
    this.service.start();
  }

  /** Over a connection of its own. Answers pings unless told otherwise. */
  connect(answersPings = true): FakeAgentStream {
    const client = new Client(this.#address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.#clients.push(client);
    return new FakeAgentStream(client, answersPings);
  }

  /** Resolves when it is so; asked after each turn of the event loop, so that the test ends as soon as it is. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
  }

  state(id: string) {
    return this.registryWorld.state(id);
  }

  async close(): Promise<void> {
    this.service.close();
    for (const client of this.#clients) client.close();
    await this.#server.close();
  }
}

export interface StreamEnd {
  readonly code: string;
  readonly details: string;
}

export class FakeAgentStream {
  readonly ended: Promise<StreamEnd>;
  /** What the server said, in order: "welcome", "ping", "drained". */
  readonly heard: string[] = [];
  readonly #call;
  readonly #messages: ServerMessage[] = [];
  #listeners: (() => void)[] = [];
  #end: StreamEnd | undefined;

  constructor(client: Client, answersPings: boolean) {
    const { path, responseDeserialize } = agentService.connect;
    // Bytes pass as they are: an agent may say anything.
    this.#call = client.makeBidiStreamRequest(path, (bytes: Buffer) => bytes, responseDeserialize, new Metadata(), {});
    this.#call.on('data', (message: ServerMessage) => {
      this.heard.push(message.message ?? '');
      this.#messages.push(message);
      if (message.ping && answersPings) this.send({ pong: {} });
      this.#tell();
    });
    this.#call.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.#call.on('status', ({ code, details }) => {
        this.#end = { code: status[code], details };
        resolve(this.#end);
        this.#tell();
      });
    });
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  send(message: Input<AgentMessage>): this {
    return this.sendBytes(AgentMessage.encode(message));
  }

  sendBytes(bytes: Buffer): this {
    if (this.isOpen) this.#call.write(bytes);
    return this;
  }

  /** The first message of that kind, past or to come. Rejects when the stream ends without. */
  async message<Kind extends NonNullable<ServerMessage['message']>>(
    kind: Kind,
  ): Promise<NonNullable<ServerMessage[Kind]>> {
    for (;;) {
      const found = this.#messages.find(({ message }) => message === kind)?.[kind];
      if (found) return found;
      if (this.#end) throw new Error(`ended with ${this.#end.code}: ${this.#end.details}`);
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  /** Registers and waits for the welcome. */
  async hello(message: Input<AgentMessage['hello'] & object>): Promise<this> {
    await this.send({ hello: message }).message('welcome');
    return this;
  }

  /** As a connection that breaks. */
  cut(): Promise<StreamEnd> {
    this.#call.cancel();
    return this.ended;
  }

  #tell(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}
