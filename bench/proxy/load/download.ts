/** Large answers: how many bytes come through, on a few connections that each take one body after the other. */
import { connect } from 'node:net';
import { AnswerReader } from './answer-reader.ts';

export interface BulkLoad {
  /** On loopback. */
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
}

/** Resolves with the bytes; rejects when an answer is none. */
export async function download(load: BulkLoad, request: string): Promise<number> {
  const running = Array.from({ length: load.connections }, () => downloadOn(load, request));
  const bytes = await Promise.all(running);
  return bytes.reduce((sum, each) => sum + each, 0);
}

/** Overwritten by every read. */
const shared = Buffer.allocUnsafeSlow(1024 * 1024);

function downloadOn({ port, seconds }: BulkLoad, request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const reader = new AnswerReader(() => socket.write(request));
    let isOver = false;
    const callback = (count: number): boolean => {
      try {
        reader.read(shared.subarray(0, count));
      } catch (fault) {
        socket.destroy();
        reject(fault);
      }
      return true;
    };
    const socket = connect({ port, host: '127.0.0.1', onread: { buffer: shared, callback } });
    socket.once('connect', () => {
      socket.write(request);
      setTimeout(() => {
        isOver = true;
        resolve(socket.bytesRead);
        socket.destroy();
      }, seconds * 1000);
    });
    socket.on('error', reject);
    socket.on('close', () => isOver || reject(new Error('the proxy closed a connection')));
  });
}
