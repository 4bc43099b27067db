/** Where connections go that are passed on as they are: how the next one stands, and the turn that it takes. */
import type { RouteRequest } from '../../routing/request.ts';
import type { RoutedBy } from '../telemetry/request-facts.ts';
import type { Destination } from './destination.ts';

/** What there is to match on a connection: nothing. */
export const anyConnection: RouteRequest = { method: '', path: '', query: '', header: () => undefined };

export interface ConnectionRoute {
  /** False: the port says nothing of what is spoken on it, so it may be HTTP. */
  readonly isDeclared: boolean;
  /** Undefined: none of the mesh. */
  readonly service: { readonly name: string; readonly revision: number } | undefined;
  /** What `take` would have answered when the connection came. */
  readonly guess: ConnectionTurn;
  /** Takes a turn of the rule's split: once, and for what is known to be no HTTP. */
  readonly take: () => ConnectionTurn;
}

export interface ConnectionTurn {
  readonly destination: Destination;
  /** Nothing went through for so long: the connection is over. */
  readonly idleTimeoutMs: number;
  /** Undefined: no rule chose the destination. */
  readonly decision: RoutedBy | undefined;
}
