/**
 * Instances for the load under which rules change: one process, one port each, as cheap as can be. Each answers who it is,
 * and with which path and which `x-asked` the request came to it.
 *
 *   node instances.mjs NAME…        writes one line of JSON: {"NAME": port, …}
 */
import { createServer } from 'node:net';
import process from 'node:process';

const names = process.argv.slice(2);
const ports = await Promise.all(names.map(listen));
process.stdout.write(`${JSON.stringify(Object.fromEntries(names.map((name, place) => [name, ports[place]])))}\n`);
process.stdin.once('end', () => process.exit(0)).resume();

/** Resolves with its port. */
function listen(name) {
  const server = createServer({ noDelay: true }, (socket) => {
    let text = '';
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('data', (part) => {
      text += part;
      for (;;) {
        const end = text.indexOf('\r\n\r\n');
        if (end === -1) return;
        const head = text.slice(0, end);
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (text.length < end + 4 + length) return;
        text = text.slice(end + 4 + length);
        const path = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/1.1\r\n'));
        const body = `${name} ${path} ${/\r\nx-asked: (\d+)/i.exec(head)?.[1] ?? 0}\n`;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      }
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}
