/** One connection to one server of the control plane; never shared, so that it ends when its streams end. */
import { Client, credentials } from '@grpc/grpc-js';
import { formatHostPort, type HostPort } from '../../process/host-port.ts';

/** A response may hold the whole closure of thousands of names. */
const largestMessageBytes = 64 * 1024 * 1024;

export function createChannel(server: HostPort): Client {
  return new Client(`dns:${formatHostPort(server)}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': largestMessageBytes,
    'grpc.max_send_message_length': largestMessageBytes,
    // A dead server or a cut network is noticed within 15 s.
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.keepalive_permit_without_calls': 1,
    // Reconnecting is ours: with jitter, over several servers.
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1,
    // `http_proxy` in the environment may well be this agent's own outbound, set for the application.
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
  });
}
