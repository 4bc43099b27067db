/** Large request bodies, and the backend that takes them: nginx would answer before it has read one. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { findFreePorts } from '../../../test/support/processes.ts';
import { AnswerReader } from './answer-reader.ts';
import type { BulkLoad } from './download.ts';
import { requestText } from './request.ts';

const bodyBytes = 64 * 1024 * 1024;
const piece = Buffer.alloc(256 * 1024, 'u');

/** A backend that reads a body to its end and then answers 200. */
export async function startSink(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('taken'));
  });
  const [port = 0] = await findFreePorts(1);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port, close };
}

/** Resolves with the bytes that were sent; rejects when a connection ends before. */
export async function upload(load: BulkLoad): Promise<number> {
  const running = Array.from({ length: load.connections }, () => uploadOn(load));
  const bytes = await Promise.all(running);
  return bytes.reduce((sum, each) => sum + each, 0);
}

function uploadOn({ port, seconds }: BulkLoad): Promise<number> {
  const head = requestText({ method: 'POST', path: '/', headers: { 'content-length': String(bodyBytes) } });
  return new Promise((resolve, reject) => {
    let left = 0;
    let isOver = false;
    const begin = () => {
      left = bodyBytes;
      socket.write(head);
      goOn();
    };
    const goOn = () => {
      while (left > 0) {
        left -= piece.length;
        if (!socket.write(piece)) return;
      }
    };
    const reader = new AnswerReader(begin);
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      begin();
      setTimeout(() => {
        isOver = true;
        resolve(socket.bytesWritten - socket.writableLength);
        socket.destroy();
      }, seconds * 1000);
    });
    socket.on('drain', goOn);
    socket.on('data', (bytes) => {
      try {
        reader.read(bytes);
      } catch (fault) {
        reject(fault);
        socket.destroy();
      }
    });
    socket.on('error', reject);
    socket.on('close', () => isOver || reject(new Error('the proxy closed a connection')));
  });
}
