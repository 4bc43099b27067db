/** Rule files read by the schemas alone: fields that are not in effect yet are compiled like all others. */
import { parseAllDocuments } from 'yaml';
import { parseValue } from '../../model/parse.ts';
import { isKind, kindSchemas, type Resource } from '../../model/resource.ts';
import { fieldOf } from '../../model/unique.ts';

/** The resources of a text that must have no other faults. */
export function readAllFields(text: string): Resource[] {
  return parseAllDocuments(text).map((document) => resourceOf(document.toJS()));
}

/** The resource that a document is. Throws with the faults, a line each. */
export function resourceOf(document: unknown): Resource {
  const kind = fieldOf(document, 'kind');
  if (!isKind(kind)) throw new Error(`no kind: ${String(kind)}`);
  const parsed = parseValue(kindSchemas[kind], document);
  if (parsed.ok) return parsed.value;
  throw new Error(parsed.faults.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'));
}
