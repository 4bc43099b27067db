/** The commit mark, the end of a batch: what comes before it is swapped in together. */
import { markName } from '../../proto/type-urls.ts';
import { Revision } from '../../proto/types.ts';
import { type EncodedResource, encodeResource } from '../compile/encoded-resource.ts';

interface Mark {
  readonly meshId: string;
  readonly revision: number;
  readonly sequence: number;
}

/** Agents that came together count alike: the marks that were last made, by what they say. */
const marks = new Map<string, EncodedResource>();
const mostMarks = 64;

/** A mark is an event, not a state: its sequence is its version, so that no two of a stream are equal. */
export function encodeMark(mark: Mark): EncodedResource {
  const key = `${mark.meshId} ${mark.revision} ${mark.sequence}`;
  const present = marks.get(key);
  if (present !== undefined) return present;
  const resource = encodeResource(Revision, markName, mark, { version: String(mark.sequence) });
  if (marks.size >= mostMarks) marks.clear();
  marks.set(key, resource);
  return resource;
}
