/**
 * A gRPC stream over a connection of its own, with as little as there can be between socket and caller: thousands of them in
 * one process must cost less than the server that is measured.
 */
import http2 from 'node:http2';
import { prefixBytes } from './skim.ts';

/** What Envoy allows is 256 MB; Node's 64 KB would measure how often the client says that it goes on. */
const windowBytes = 16 * 1024 * 1024;

export interface GrpcStream {
  write(message: Buffer): void;
}

/** `onData` gets the bytes as they come. Ends the process when the stream ends with an error: half a swarm is no measurement. */
export function openStream(address: string, path: string, onData: (piece: Buffer) => void): GrpcStream {
  const session = http2.connect(`http://${address}`, { settings: { initialWindowSize: windowBytes } });
  session.once('connect', () => session.setLocalWindowSize(windowBytes));
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const fail = (error: Error) => {
    throw new Error(`a stream of the swarm has failed: ${error.message}`);
  };
  session.on('error', fail);
  stream.on('error', fail);
  stream.on('data', onData);
  return {
    write: (message) => {
      const framed = Buffer.allocUnsafe(prefixBytes + message.length);
      framed[0] = 0;
      framed.writeUInt32BE(message.length, 1);
      message.copy(framed, prefixBytes);
      stream.write(framed);
    },
  };
}
