/**
 * Whom a request between agents is meant for: the header that says it, and how an instance is written in it. Addresses are
 * used again; the inbound that finds another name than its own answers 421, and the caller's agent asks someone else.
 */

/** Set by the caller's agent, whatever the client sent; taken off before the application sees the request. */
export const instanceHeader = 'x-sluice-instance';

export interface InstanceIdentity {
  /** "reviews.default". */
  readonly service: string;
  readonly id: string;
}

/** `reviews.default/reviews-1`, spelt as in `sluice instances`; ids are unique per namespace, not per mesh. */
export function instanceHeaderValue({ service, id }: InstanceIdentity): string {
  return `${service}/${id}`;
}
