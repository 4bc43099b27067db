/**
 * The client status discovery service (xds.md 2.5): of each stream, per resource, what was sent and what the client said of
 * it. An answer is the state of the moment, made in slices so that large ones hold nobody up.
 */
import { setImmediate } from 'node:timers/promises';
import type { Logger } from '../../process/log.ts';
import type { Input } from '../../proto/load.ts';
import { toStruct } from '../../proto/struct.ts';
import {
  ClientConfig,
  type ClientConfigGenericXdsConfig,
  ClientResourceStatus,
  type ClientStatusRequest,
  ConfigStatus,
} from '../../proto/types.ts';
import { frame } from '../compile/encoded-resource.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { StatusError, status } from '../grpc/status.ts';
import type { StreamIdentity } from '../xds/identity.ts';
import type { HeldResource } from '../xds/session.ts';
import { type Answering, answerInTurn, answerOnce } from './answer-in-turn.ts';
import { createNodeFilter } from './node-matcher.ts';

/** A stream, as far as it is shown. */
export interface ShownStream {
  readonly identity: StreamIdentity;
  resources(): Iterable<HeldResource>;
}

export interface ClientStatusOptions {
  readonly streams: () => Iterable<ShownStream>;
  readonly log: Logger;
  readonly limits?: ClientStatusLimits;
}

export interface ClientStatusLimits {
  /** In one answer. */
  readonly resources: number;
  readonly bytes: number;
  /** Questions that are being answered or wait to be, and answers that nobody has taken yet. */
  readonly questions: number;
}

const defaultLimits: ClientStatusLimits = { resources: 200_000, bytes: 64 * 1024 * 1024, questions: 32 };

type Call = ServerCall<ClientStatusRequest, Buffer>;

/** Resources that are encoded in one turn of the event loop: some 2 ms. */
const sliceSize = 500;

/** What stands in them is nobody's to read (xds.md 5.25). */
const secretTypeUrl = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';

export class ClientStatusService {
  readonly #options: ClientStatusOptions;
  readonly #limits: ClientStatusLimits;
  readonly #answering: Answering<ClientStatusRequest, Buffer>;
  #questions = 0;
  /** One answer is made at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ClientStatusOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
    this.#answering = {
      answer: (question) => this.answer(question),
      log: options.log,
      onTaken: () => this.onTaken(),
    };
  }

  readonly handleStream = (call: Call): void => answerInTurn(call, this.#answering);

  readonly handleFetch = (call: Call): void => answerOnce(call, this.#answering);

  /** A ClientStatusResponse, encoded: it counts until `onTaken`. Rejects with StatusError. */
  async answer(question: ClientStatusRequest): Promise<Buffer> {
    const { questions } = this.#limits;
    if (this.#questions >= questions) {
      throw new StatusError(
        status.RESOURCE_EXHAUSTED,
        `${questions} questions are being answered, or their answers are not read: ask again later`,
      );
    }
    this.#questions++;
    const answer = this.#last.then(() => this.#describeAll(question));
    this.#last = answer.catch(() => {});
    try {
      return await answer;
    } catch (error) {
      this.onTaken();
      throw error;
    }
  }

  /** An answer has been taken, or nobody is left to take it. */
  onTaken(): void {
    this.#questions--;
  }

  async #describeAll({ nodeMatchers, excludeResourceContents }: ClientStatusRequest): Promise<Buffer> {
    const isAskedFor = createNodeFilter(nodeMatchers);
    const chosen = [...this.#options.streams()].filter(({ identity }) => isAskedFor(identity.id));
    const clients: Buffer[] = [];
    const size = { resources: 0, bytes: 0 };
    for (const stream of chosen) {
      const parts = [ClientConfig.encode({ node: nodeOf(stream.identity) })];
      const resources = [...stream.resources()];
      size.resources += resources.length;
      this.#assertFits(size);
      for (let at = 0; at < resources.length; at += sliceSize) {
        const slice = resources.slice(at, at + sliceSize);
        // Repeated fields in several pieces are the same bytes as in one.
        const part = ClientConfig.encode({
          genericXdsConfigs: slice.map((resource) => describe(resource, !excludeResourceContents)),
        });
        parts.push(part);
        size.bytes += part.length;
        this.#assertFits(size);
        await setImmediate();
      }
      clients.push(frame(configField, Buffer.concat(parts)));
    }
    return Buffer.concat(clients);
  }

  #assertFits({ resources, bytes }: Omit<ClientStatusLimits, 'questions'>): void {
    if (resources <= this.#limits.resources && bytes <= this.#limits.bytes) return;
    throw new StatusError(
      status.RESOURCE_EXHAUSTED,
      `the answer would have more than ${this.#limits.resources} resources or ${this.#limits.bytes} bytes: ` +
        'ask for fewer nodes by node_matchers, and with exclude_resource_contents',
    );
  }
}

/** Number of `ClientStatusResponse.config`. */
const configField = 1;

function nodeOf({ id, namespace, service, userAgent, version }: StreamIdentity): Input<ClientConfig>['node'] {
  return {
    id,
    cluster: service,
    metadata: toStruct({ sluice: { namespace, service } }),
    userAgentName: userAgent,
    userAgentVersion: version,
  };
}

const configStatus = {
  requested: ConfigStatus.NOT_SENT,
  sent: ConfigStatus.STALE,
  acked: ConfigStatus.SYNCED,
  nacked: ConfigStatus.ERROR,
} as const;

const clientStatus = {
  requested: ClientResourceStatus.REQUESTED,
  sent: ClientResourceStatus.REQUESTED,
  acked: ClientResourceStatus.ACKED,
  nacked: ClientResourceStatus.NACKED,
} as const;

function describe(held: HeldResource, withContents: boolean): Input<ClientConfigGenericXdsConfig> {
  const { typeUrl, name, version, state, refused, resource } = held;
  const isShown = withContents && resource !== undefined && typeUrl !== secretTypeUrl;
  return {
    typeUrl,
    name,
    versionInfo: version,
    configStatus: configStatus[state],
    clientStatus: clientStatus[state],
    ...(isShown && { xdsConfig: { type_url: typeUrl, value: resource.bytes } }),
    ...(refused && { errorState: { details: refused.message, versionInfo: refused.version } }),
  };
}
