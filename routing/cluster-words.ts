/** What a cluster is called in sentences: in the words of the rules, which is all that their readers have ever seen. */
import { parseClusterName, serviceKey } from '../model/names.ts';

/** Of a service that appeared by itself, and of most others: to name it would tell nobody anything. */
const usualPort = 'http';

/**
 * `reviews.default`, `reviews.default, subset v1`, `reviews.default, port grpc, subset v1`; the port `http` is left out. A
 * name that is none of ours stays as it is.
 */
export function clusterWords(cluster: string): string {
  const ref = parseClusterName(cluster);
  if (ref === undefined) return cluster;
  const port = ref.port === usualPort ? '' : `, port ${ref.port}`;
  const subset = ref.subset === '' ? '' : `, subset ${ref.subset}`;
  return `${serviceKey(ref.namespace, ref.service)}${port}${subset}`;
}
