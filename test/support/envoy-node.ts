/** An Envoy of `web` that says nothing of itself but where its outbound is. */
import type { EnvoyNode } from '../../server/snapshot/envoy-node.ts';

export const plainEnvoyNode: EnvoyNode = {
  namespace: 'default',
  service: 'web',
  zone: '',
  streams: undefined,
  outbound: { host: '127.0.0.1', port: 15_001 },
  inbound: undefined,
  upstreams: [],
  services: undefined,
};
