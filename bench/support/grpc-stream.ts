/**
 * A gRPC stream over a connection of its own, with as little as there can be between socket and caller: thousands of them in
 * one process must cost less than the server that is measured.
 */
import http2 from 'node:http2';

/** What Envoy allows is 256 MB; Node's 64 KB would measure how often the client says that it goes on. */
const windowBytes = 16 * 1024 * 1024;
/** Not compressed, and the length of the message in the four bytes after. */
const prefixBytes = 5;

export interface GrpcStream {
  write(message: Buffer): void;
}

/** `onMessage` gets each message whole. Ends the process when the stream ends with an error: half a swarm is no measurement. */
export function openStream(address: string, path: string, onMessage: (message: Buffer) => void): GrpcStream {
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
  const read = messageReader(onMessage);
  stream.on('data', read);
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

/** Cuts the bytes of a stream into messages. */
function messageReader(onMessage: (message: Buffer) => void): (piece: Buffer) => void {
  let pieces: Buffer[] = [];
  let bytes = 0;
  return (piece) => {
    pieces.push(piece);
    bytes += piece.length;
    for (;;) {
      if (bytes < prefixBytes) return;
      const [first = piece] = pieces;
      if (first.length < prefixBytes) pieces = [Buffer.concat(pieces)];
      const whole = prefixBytes + (pieces[0]?.readUInt32BE(1) ?? 0);
      if (bytes < whole) return;
      const all = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
      if (all === undefined) return;
      onMessage(all.subarray(prefixBytes, whole));
      const rest = all.subarray(whole);
      pieces = rest.length > 0 ? [rest] : [];
      bytes = rest.length;
    }
  };
}
