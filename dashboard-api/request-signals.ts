/**
 * Tells whoever works for a request that nobody waits for its answer any more: the client has gone, or the API closes. Nothing
 * is aborted when an answer is complete, which is what happens to nearly all of them: an abort costs more than a small answer.
 */
import type { ServerResponse } from 'node:http';

export class RequestSignals {
  readonly #closing: AbortSignal | undefined;
  readonly #underWay = new Set<AbortController>();

  constructor(closing: AbortSignal | undefined) {
    this.#closing = closing;
    closing?.addEventListener('abort', () => {
      for (const controller of this.#underWay) controller.abort();
    });
  }

  /** For the request that has this response. */
  of(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    if (this.#closing?.aborted) controller.abort();
    this.#underWay.add(controller);
    response.once('close', () => {
      this.#underWay.delete(controller);
      if (!response.writableFinished) controller.abort();
    });
    return controller.signal;
  }
}
