/** What loads a DNS server: dnsperf for as much as it takes, and questions by a schedule for how long it takes. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { promisify } from 'node:util';
import { encode } from 'dns-packet';

export interface Saturation {
  readonly answers: number;
  readonly perSecond: number;
  readonly lost: number;
}

const run = promisify(execFile);

/** `file`: lines of a name and a type. From several ports, so that no one is the limit. */
export async function saturate(port: number, file: string, seconds: number, isEdns: boolean): Promise<Saturation> {
  const load = ['-s', '127.0.0.1', '-p', `${port}`, '-d', file, '-l', `${seconds}`, '-c', '8', '-q', '200', '-t', '1'];
  const { stdout } = await run('dnsperf', [...load, ...(isEdns ? ['-e'] : [])]);
  const figure = (label: string) => Number(new RegExp(`${label}:\\s+([\\d.]+)`).exec(stdout)?.[1]);
  return {
    answers: figure('Queries completed'),
    perSecond: figure('Queries per second'),
    lost: figure('Queries lost'),
  };
}

/** Milliseconds from when each question was due to its answer; one that is lost counts as Infinity. */
export async function latencies(
  port: number,
  names: readonly string[],
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<number[]> {
  const count = perSecond * seconds;
  const messages = names.map((name) => encode({ type: 'query', flags: 0x0100, questions: [{ type: 'A', name }] }));
  const found = new Array<number>(count).fill(Number.POSITIVE_INFINITY);
  const socket = createSocket({ type: 'udp4', lookup: (address, _options, done) => done(null, address, 4) });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const start = performance.now() + 5;
  const dueAt = (index: number) => start + (index * 1_000) / perSecond;
  let answered = 0;
  let sent = 0;
  socket.on('message', (answer) => {
    // Ids come round again; of those that were sent with this one, the newest is meant.
    const id = answer.readUInt16BE(0);
    const index = id + 65_536 * Math.floor((sent - 1 - id) / 65_536);
    found[index] = performance.now() - dueAt(index);
    answered++;
  });
  while (sent < count) {
    const now = performance.now();
    while (sent < count && dueAt(sent) <= now) {
      const message = Buffer.from(messages[sent % messages.length] ?? '');
      message.writeUInt16BE(sent & 0xffff, 0);
      socket.send(message, port, '127.0.0.1');
      sent++;
    }
    await new Promise(setImmediate);
  }
  const end = performance.now() + 500;
  while (answered < count && performance.now() < end) await new Promise(setImmediate);
  socket.close();
  return found;
}
