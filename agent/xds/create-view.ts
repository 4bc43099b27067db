/** From what is held to what requests are routed by. */
import type { Logger } from '../../process/log.ts';
import { createMeshView, type MeshResources, type ViewIdentity } from '../view/mesh-view.ts';
import type { CreateView } from './delta-session.ts';
import {
  type Held,
  type HeldMesh,
  markName,
  markTypeUrl,
  type ResourceKind,
  type ResourceMessages,
} from './resources.ts';

export function viewCreator(identity: ViewIdentity, log: Logger): CreateView {
  return (held, previous) => {
    try {
      return createMeshView(toMeshResources(held), previous, identity);
    } catch (cause) {
      // A fault of ours, not of the server; but the agent goes on routing by what it has, and says why.
      log.error({ err: cause }, 'the view could not be made');
      const reason = `the agent failed to use it: ${cause instanceof Error ? cause.message : String(cause)}`;
      return { refused: [{ typeUrl: markTypeUrl, name: markName, reason }] };
    }
  };
}

/** The messages alone. What did not change stays the same object. */
function toMeshResources({ meshId, revision, tables }: HeldMesh): MeshResources {
  return {
    meshId,
    revision,
    names: messagesOf(tables.names),
    routeConfigurations: messagesOf(tables.routeConfigurations),
    clusters: messagesOf(tables.clusters),
    assignments: messagesOf(tables.endpoints),
    listeners: messagesOf(tables.listeners),
  };
}

function messagesOf<Kind extends ResourceKind>(
  table: ReadonlyMap<string, Held<Kind>>,
): ReadonlyMap<string, ResourceMessages[Kind]> {
  return new Map([...table].map(([name, { message }]) => [name, message]));
}
