/** What the proxy asks of the mesh, and agent/xds answers: the present view, and names that are not in it yet. */
import type { MeshView } from './mesh-view.ts';

/**
 * `known`: the view has it now. `absent`: the server says that there is no such name. `unusable`: there is, but what came
 * for it cannot be used. `unavailable`: nobody can be asked, or nobody answers.
 */
export type Resolution = 'known' | 'absent' | 'unusable' | 'unavailable';

export interface MeshDirectory {
  /** Replaced as a whole on every swap: take it once per request and keep to it. */
  readonly view: MeshView;
  /** Why names cannot be asked for now, or may not be answered; '' when nothing is known to stand in the way. */
  readonly obstacle: string;
  /**
   * Resolves when the name is known or known to be absent, or cannot be asked. Concurrent callers share one question.
   * The name is as in `Name.name`: lower case, with a namespace, without a port.
   */
  resolve(name: string): Promise<Resolution>;
}
