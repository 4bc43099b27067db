/**
 * A control plane of a test: speaks both streams over real gRPC, does what the test says, and checks on every message what
 * holds for every stream. A broken rule fails the test at `close`.
 */
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { closureKinds, markTypeUrl, typeUrls } from '../../../../agent/xds/resources.ts';
import type { HostPort } from '../../../../process/host-port.ts';
import type { Input } from '../../../../proto/load.ts';
import { agentService, aggregatedDiscoveryServer } from '../../../../proto/services.ts';
import {
  type AgentMessage,
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  type ServerMessage,
} from '../../../../proto/types.ts';

/** What a test can wait for: every message and every end, in order. */
export type Event =
  | { readonly on: 'session'; readonly message: AgentMessage }
  | { readonly on: 'session-end' }
  | { readonly on: 'ads'; readonly request: DeltaDiscoveryRequest }
  | { readonly on: 'ads-end' };

const order = [...closureKinds.map((kind) => typeUrls[kind]), typeUrls.names, markTypeUrl];

export class FakeServer {
  readonly #server = new Server();
  readonly #events: Event[] = [];
  readonly #waiting: { readonly matches: (event: Event) => boolean; readonly resolve: (event: Event) => void }[] = [];
  readonly #faults: string[] = [];
  #session: ServerDuplexStream<AgentMessage, Input<ServerMessage>> | undefined;
  #ads: ServerDuplexStream<DeltaDiscoveryRequest, Buffer> | undefined;
  address: HostPort = { host: '127.0.0.1', port: 0 };
  /** What a hello is answered with, at a revision that no test's agent is ahead of; undefined leaves it unanswered. */
  welcome: { readonly meshId: string; readonly revision?: number } | undefined = { meshId: 'mesh-a' };

  /** On `port`, or a free one. */
  async start(port = 0): Promise<this> {
    this.#server.addService(
      {
        connect: {
          ...agentService.connect,
          responseSerialize: (message) => agentService.connect.responseSerialize(message),
        },
      },
      { connect: (call: ServerDuplexStream<AgentMessage, Input<ServerMessage>>) => this.#onSession(call) },
    );
    const { delta: deltaAggregatedResources } = aggregatedDiscoveryServer;
    this.#server.addService(
      { deltaAggregatedResources },
      { deltaAggregatedResources: (call: ServerDuplexStream<DeltaDiscoveryRequest, Buffer>) => this.#onAds(call) },
    );
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, chosen) =>
        error === null ? resolve(chosen) : reject(error),
      );
    });
    this.address = { host: '127.0.0.1', port: bound };
    return this;
  }

  say(message: Input<ServerMessage>): void {
    this.#session?.write(message);
  }

  send(...responses: readonly DeltaDiscoveryResponse[]): void {
    for (const response of responses) this.#ads?.write(DeltaDiscoveryResponse.encode(response));
  }

  /** Ends both streams: OK, or with this status. */
  endStreams(code: status = status.OK, details = ''): void {
    for (const call of [this.#ads, this.#session]) {
      if (code === status.OK) call?.end();
      else call?.emit('error', { code, details });
    }
  }

  /** The next message or end that fits, also one that came before it was waited for; each is given once. */
  next<On extends Event['on']>(on: On, fits: (event: Extract<Event, { on: On }>) => boolean = () => true) {
    const matches = (event: Event): event is Extract<Event, { on: On }> => isOn(event, on) && fits(event);
    const found = this.#events.find(matches);
    if (found !== undefined) {
      this.#events.splice(this.#events.indexOf(found), 1);
      return Promise.resolve(found);
    }
    return new Promise<Extract<Event, { on: On }>>((resolve) => {
      this.#waiting.push({ matches, resolve: (event) => matches(event) && resolve(event) });
    });
  }

  async nextSession<Kind extends keyof AgentMessage>(kind: Kind): Promise<NonNullable<AgentMessage[Kind]>> {
    const { message } = await this.next('session', ({ message }) => message[kind] != null);
    const value = message[kind];
    if (value == null) throw new Error('unreachable: it was waited for');
    return value;
  }

  /** The verdict on a mark: undefined for an ACK, else its text. */
  async nextMarkVerdict(): Promise<string | undefined> {
    const isVerdict = ({ request }: { request: DeltaDiscoveryRequest }) =>
      request.typeUrl === markTypeUrl && request.responseNonce !== '';
    return (await this.next('ads', isVerdict)).request.errorDetail?.message;
  }

  /** What came so far is of no interest any more. */
  forget(): void {
    this.#events.length = 0;
  }

  /** Throws what was wrong with the agent's messages. */
  close(): void {
    this.#server.forceShutdown();
    if (this.#faults.length > 0) throw new Error(this.#faults.join('; '));
  }

  #onSession(call: ServerDuplexStream<AgentMessage, Input<ServerMessage>>): void {
    this.#session = call;
    let count = 0;
    call.on('data', (message: AgentMessage) => {
      count += 1;
      if ((message.hello !== null) !== (count === 1)) this.#faults.push('hello is the first message, and no other one');
      this.#emit({ on: 'session', message });
      if (message.hello !== null && this.welcome !== undefined) {
        const { meshId, revision = 9 } = this.welcome;
        call.write({ welcome: { meshId, revision, serverId: 'fake' } });
      }
    });
    this.#onEnd(call, { on: 'session-end' });
  }

  #onAds(call: ServerDuplexStream<DeltaDiscoveryRequest, Buffer>): void {
    this.#ads = call;
    let count = 0;
    const answered = new Set<string>();
    call.on('data', (request: DeltaDiscoveryRequest) => {
      const { typeUrl, node, responseNonce, initialResourceVersions } = request;
      if (count < order.length && typeUrl !== order[count]) this.#faults.push(`message ${count} is of ${typeUrl}`);
      if ((node !== null) !== (count === 0))
        this.#faults.push('the node stands in the first message, and no other one');
      if (typeUrl === markTypeUrl && Object.keys(initialResourceVersions).length > 0) {
        this.#faults.push('the mark has an initial version');
      }
      if (responseNonce !== '' && answered.has(responseNonce)) this.#faults.push(`two verdicts on ${responseNonce}`);
      answered.add(responseNonce);
      count += 1;
      this.#emit({ on: 'ads', request });
    });
    this.#onEnd(call, { on: 'ads-end' });
  }

  #onEnd<In, Out>(call: ServerDuplexStream<In, Out>, event: Event): void {
    let isOpen = true;
    const end = () => {
      if (isOpen) this.#emit(event);
      isOpen = false;
      call.end();
    };
    call.on('error', end);
    call.on('cancelled', end);
    call.on('end', end);
  }

  #emit(event: Event): void {
    const at = this.#waiting.findIndex(({ matches }) => matches(event));
    if (at < 0) this.#events.push(event);
    else for (const { resolve } of this.#waiting.splice(at, 1)) resolve(event);
  }
}

function isOn<On extends Event['on']>(event: Event, on: On): event is Extract<Event, { on: On }> {
  return event.on === on;
}
