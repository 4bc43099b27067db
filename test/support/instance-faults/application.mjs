/**
 * An application that says which requests it has carried out, before it answers: one line on standard output for each, the
 * `x-id`. The first line is its port. A request for `/stream` is answered in two parts, with a pause between them.
 */
import { writeSync } from 'node:fs';
import { createServer } from 'node:http';
import process from 'node:process';

/** Long enough that there are always some under way. */
const workMs = 40;
const pauseMs = 30;
const stdout = 1;

const server = createServer((request, response) => {
  const id = String(request.headers['x-id']);
  let length = 0;
  request.on('data', (part) => {
    length += part.length;
  });
  request.once('end', () => {
    writeSync(stdout, `${id}\n`);
    const body = `${id} ${length}`;
    const answer = () => {
      response.writeHead(200, { 'content-length': String(body.length) });
      if (request.url !== '/stream') return response.end(body);
      response.write(body.slice(0, 1));
      setTimeout(() => response.end(body.slice(1)), pauseMs);
    };
    setTimeout(answer, workMs);
  });
});
server.listen(0, '127.0.0.1', () => writeSync(stdout, `${server.address().port}\n`));
process.stdin.once('end', () => process.exit(0)).resume();
