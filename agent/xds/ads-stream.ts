/** The delta ADS stream over grpc-js: performs the effects of a session, and knows nothing of what they mean. */
import { type Client, type ClientDuplexStream, Metadata, type status } from '@grpc/grpc-js';
import { aggregatedDiscoveryClient } from '../../proto/services.ts';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../../proto/types.ts';
import type { DeltaSession, Effect, Request } from './delta-session.ts';
import type { NameAsker } from './directory.ts';

/** How a stream ended: a status of gRPC and its sentence. */
export interface StreamEnd {
  readonly code: status;
  readonly details: string;
}

/** What the session decided, but for messages, which the stream sends itself. */
export type Decision = Exclude<Effect, { readonly do: 'send' | 'confirm' }>;

export interface AdsStream extends NameAsker {
  close(): void;
}

export interface AdsStreamOptions {
  readonly client: Client;
  readonly session: DeltaSession;
  /** Called before the verdict on it is sent. */
  readonly onDecision: (decision: Decision) => void;
  /**
   * Calls back once all requests are routed by what was decided last: the ACK of a mark waits for it. There is at most one
   * mark without an ACK, so no more than one call is open.
   */
  readonly onceInUse: (then: () => void) => void;
  readonly onResponse: (response: DeltaDiscoveryResponse) => void;
  /** Called once; not after `close`. */
  readonly onEnd: (end: StreamEnd) => void;
}

export function startAdsStream(options: AdsStreamOptions): AdsStream {
  const { session } = options;
  const method = aggregatedDiscoveryClient.deltaAggregatedResources;
  const call: ClientDuplexStream<Request, DeltaDiscoveryResponse> = options.client.makeBidiStreamRequest(
    method.path,
    (request: Request) => DeltaDiscoveryRequest.encode(request),
    method.responseDeserialize,
    new Metadata(),
    {},
  );
  let isOpen = true;
  const perform = (effects: readonly Effect[]) => {
    for (const effect of effects) {
      if (!isOpen) return;
      if (effect.do === 'send') call.write(effect.request);
      else if (effect.do === 'confirm') options.onceInUse(() => isOpen && call.write(effect.request));
      else options.onDecision(effect);
    }
  };

  call.on('data', (response) => {
    if (!isOpen) return;
    options.onResponse(response);
    perform(session.onResponse(response));
  });
  // 'status' follows with the same, also for a stream that ended well.
  call.on('error', () => {});
  call.on('status', ({ code, details }) => {
    if (!isOpen) return;
    isOpen = false;
    options.onEnd({ code, details });
  });

  perform(session.start());
  return {
    subscribe: (names) => perform(session.subscribe(names)),
    unsubscribe: (names) => perform(session.unsubscribe(names)),
    close: () => {
      isOpen = false;
      call.cancel();
    },
  };
}
