/** Problems of clients as the REST API sees them. */
import type { ClientProblemInfo } from '../../dashboard-api/ports.ts';
import { parseServiceKey } from '../../model/names.ts';
import type { ServiceProblem } from '../client-problems.ts';

export function clientProblemInfo({ service: key, kind, document, path, sentence }: ServiceProblem): ClientProblemInfo {
  const { namespace, name } = parseServiceKey(key) ?? { namespace: '', name: key };
  return { namespace, service: name, clients: kind, document, path, message: sentence };
}
