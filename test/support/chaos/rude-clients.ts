/** Clients that do what clients do at their worst. Each does one thing and is gone; what it saw is told where it may expect something. */
import { connect, type Socket } from 'node:net';
import { type DeedName, deedNames, kindDeeds } from './deeds.ts';
import { clientGone, type Ending, endingsOfDeed } from './endings.ts';
import type { LogLedger } from './log-ledger.ts';

export interface Target {
  /** Of the agent, on loopback. */
  readonly port: number;
  /** The Host header. */
  readonly service: string;
  readonly random: () => number;
  /** Is told of all that is sent. */
  readonly ledger: LogLedger;
  /** Nobody has declared what is spoken on the port. */
  readonly isUndeclared: boolean;
}

/** '' when all was as it should be, else a sentence. */
type Act = (target: Target) => Promise<string>;

export const rudeClients = {
  'goes before the answer': async (target) => {
    const socket = await dial(target);
    socket.write(get(target, { deed: pick(target, deedNames), ending: 'goes' }));
    await pause(target.random() * 30);
    leave(socket, target);
    return '';
  },
  'goes in the answer': async (target) => {
    const socket = await dial(target);
    socket.write(get(target, { size: 3_000_000, ending: 'goes' }));
    await Promise.race([happens(socket, 'data', 'close'), pause(2_000)]);
    leave(socket, target);
    return '';
  },
  'goes in the head': async (target) => {
    const socket = await dial(target);
    const text = get(target, { ending: 'unfinished' });
    socket.write(text.slice(0, Math.floor(target.random() * text.length)));
    await pause(target.random() * 10);
    leave(socket, target);
    return '';
  },
  'goes in the body of the request': async (target) => {
    const socket = await dial(target);
    socket.write(post(target, { deed: pick(target, deedNames), bodySize: 300_000, ending: 'goes' }));
    socket.write(Buffer.alloc(Math.floor(target.random() * 299_999), 'b'));
    await pause(target.random() * 30);
    leave(socket, target);
    return '';
  },
  'never reads': async (target) => {
    const socket = await dial(target);
    socket.pause();
    socket.write(get(target, { size: 8_000_000, ending: 'goes' }));
    await pause(200 + target.random() * 800);
    leave(socket, target);
    return '';
  },
  'closes its side and reads on': async (target) => {
    const socket = await dial(target, true);
    const id = newId();
    const size = Math.floor(target.random() * 300_000);
    socket.end(get(target, { id, size, deed: pick(target, kindDeeds) }));
    const text = await textOf(socket);
    return text.includes(`${id}:`) ? '' : `closed its side and saw ${JSON.stringify(text.slice(0, 200))}`;
  },
  'sends five requests at once': async (target) => {
    const socket = await dial(target, true);
    const ids = Array.from({ length: 5 }, newId);
    socket.end(
      ids
        .map((id, place) =>
          get(target, {
            id,
            size: Math.floor(target.random() * 2_000),
            deed: pick(target, kindDeeds),
            // Where an answer may break off, those behind it may never be read.
            ending: place > 0 && target.service === 'wild' ? 'goes early' : 'stays',
          }),
        )
        .join(''),
    );
    const text = await textOf(socket);
    const places = ids.map((id) => text.indexOf(`${id}:`));
    const isInOrder = places.every((place, index) => place > (places[index - 1] ?? -1));
    return isInOrder ? '' : `sent ${ids} at once, and saw them at ${places} of ${text.length}`;
  },
  'sends five requests at once and goes': async (target) => {
    const socket = await dial(target);
    socket.write(
      Array.from({ length: 5 }, (_, place) =>
        get(target, { deed: pick(target, deedNames), ending: place === 0 ? 'goes' : 'goes early' }),
      ).join(''),
    );
    await pause(target.random() * 30);
    leave(socket, target);
    return '';
  },
  'sends its head in pieces': async (target) => {
    const socket = await dial(target, true);
    const id = newId();
    const text = get(target, { id });
    for (let at = 0; at < text.length; at += 10) {
      socket.write(text.slice(at, at + 10));
      await pause(1);
    }
    socket.end();
    const answer = await textOf(socket);
    return answer.includes(`${id}:`) ? '' : `sent its head in pieces and saw ${JSON.stringify(answer.slice(0, 200))}`;
  },
  'sends its body slowly': async (target) => {
    const socket = await dial(target);
    const id = newId();
    socket.write(post(target, { id, bodySize: 50 }));
    for (let n = 0; n < 5; n++) {
      await pause(10);
      socket.write('b'.repeat(10));
    }
    const text = await textUntil(socket, new RegExp(`${id}:|x-sluice-reason`));
    leave(socket, target);
    return text.includes(`${id}:`) || text.includes('upstream-reset')
      ? ''
      : `sent its body slowly and saw ${JSON.stringify(text.slice(0, 200))}`;
  },
  'says nothing': async (target) => {
    const socket = await dial(target);
    noteRaw(target);
    await pause(target.random() * 100);
    leave(socket, target);
    return '';
  },
  'speaks nonsense': async (target) => {
    const socket = await dial(target, true);
    const { text: nonsense, ending, isHttp } = pick(target, allNonsense);
    if (isHttp || !target.isUndeclared) target.ledger.addNameless(ending);
    else noteRaw(target);
    socket.end(nonsense);
    const text = await textOf(socket);
    return text === '' || /^HTTP\/1\.1 (4|5)\d\d /.test(text)
      ? ''
      : `spoke nonsense and saw ${JSON.stringify(text.slice(0, 200))}`;
  },
  'waits for leave to send its body, and goes': async (target) => {
    const socket = await dial(target);
    socket.write(post(target, { bodySize: 10, more: 'Expect: 100-continue\r\n', ending: 'goes' }));
    await Promise.race([happens(socket, 'data', 'close'), pause(100)]);
    leave(socket, target);
    return '';
  },
  'changes the protocol': async (target) => {
    const socket = await dial(target, true);
    socket.write(get(target, { more: 'Connection: upgrade\r\nUpgrade: echo\r\n', ending: ['101 passed'] }));
    const switched = await textUntil(socket, /\r\n\r\n/);
    if (!switched.startsWith('HTTP/1.1 101 ')) {
      socket.destroy();
      return `changed the protocol and saw ${JSON.stringify(switched.slice(0, 200))}`;
    }
    const sent = Buffer.alloc(Math.floor(target.random() * 500_000) + 1, 'e');
    const received = lengthOf(socket);
    const beganMs = performance.now();
    if (target.random() < 0.5) {
      socket.write(sent);
      await pause(target.random() * 20);
      leave(socket, target);
      return '';
    }
    socket.end(sent);
    const length = await received;
    if (length === sent.length) return '';
    const how = `${socket.errored?.message ?? 'in order'}, after ${Math.round(performance.now() - beganMs)} ms`;
    return `sent ${sent.length} octets through an echo and got ${length} back; it ended ${how}`;
  },
  'tunnels a request': async (target) => {
    const socket = await dial(target, true);
    const id = newId();
    note(target, 'CONNECT', { id, ending: ['200 passed'] });
    socket.write(`CONNECT ${target.service}:80 HTTP/1.1\r\nHost: ${target.service}:80\r\nx-request-id: ${id}\r\n\r\n`);
    const connected = await textUntil(socket, /\r\n\r\n/);
    if (!connected.startsWith('HTTP/1.1 200 ')) {
      socket.destroy();
      return `asked for a tunnel and saw ${JSON.stringify(connected.slice(0, 200))}`;
    }
    socket.write(get(target, { deed: pick(target, deedNames), ending: 'in a tunnel' }));
    await Promise.race([happens(socket, 'data', 'close'), pause(200)]);
    leave(socket, target);
    return '';
  },
} as const satisfies Record<string, Act>;

export type RudeClient = keyof typeof rudeClients;

export const rudeClientNames: readonly RudeClient[] = Object.keys(rudeClients).filter(isRudeClient);

function isRudeClient(name: string): name is RudeClient {
  return Object.hasOwn(rudeClients, name);
}

const badRequest = '400 bad-request';

/** `isHttp`: begins like HTTP, so that it is refused also where it is not known what is spoken. */
const allNonsense: readonly { readonly text: string; readonly ending: Ending; readonly isHttp: boolean }[] = [
  { text: 'hello\r\n\r\n', ending: badRequest, isHttp: false },
  { text: 'GET / HTTP/1.1\r\n\r\n', ending: badRequest, isHttp: true },
  { text: '\0\0\0\0', ending: badRequest, isHttp: false },
  { text: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n', ending: badRequest, isHttp: true },
  { text: 'GET / HTTP/3.0\r\n\r\n', ending: '505 http-version', isHttp: true },
];

interface Words {
  readonly id?: string;
  readonly deed?: DeedName;
  readonly size?: number;
  readonly more?: string;
  /**
   * What the log may say: by what the instance does when the client waits for its answer; also that the client has gone;
   * also nothing, when it may have gone before the agent read so far; certainly nothing; or this.
   */
  readonly ending?: 'stays' | 'goes' | 'goes early' | 'unfinished' | 'in a tunnel' | readonly Ending[];
}

function get(target: Target, words: Words, method = 'GET'): string {
  const { id = newId(), deed = 'answer', size = 0, more = '' } = words;
  note(target, method, { ...words, id });
  const ids = `x-id: ${id}\r\nx-request-id: ${id}\r\n`;
  return `${method} /rude HTTP/1.1\r\nHost: ${target.service}\r\n${ids}x-deed: ${deed}\r\nx-size: ${size}\r\n${more}\r\n`;
}

function post(target: Target, { bodySize, more = '', ...words }: Words & { readonly bodySize: number }): string {
  return get(target, { ...words, more: `Content-Length: ${bodySize}\r\n${more}` }, 'POST');
}

function note(target: Target, method: string, words: Words & { readonly id: string }): void {
  const { id, deed = 'answer', ending = 'stays' } = words;
  const { service, ledger } = target;
  const title = `rude ${method} ${service} "${deed}", ${ending}`;
  // The agent sees bytes and no request.
  if (ending === 'unfinished' || ending === 'in a tunnel') {
    if (ending === 'unfinished') noteRaw(target);
    return ledger.add(id, { title, endings: [] });
  }
  const natural = endingsOfDeed(deed, { service, isSentOnce: method === 'POST' });
  if (ending === 'stays') return ledger.add(id, { title, endings: natural });
  if (ending === 'goes' || ending === 'goes early') {
    return ledger.add(id, { title, endings: [...natural, clientGone], isOptional: ending === 'goes early' });
  }
  ledger.add(id, { title, endings: service === 'wild' ? [...ending, ...natural] : ending });
}

/** Where it is not known what is spoken, a client that has not said enough speaks something else. */
function noteRaw({ isUndeclared, ledger }: Target): void {
  if (isUndeclared) ledger.addRaw();
}

let ids = 0;

function newId(): string {
  return `rude-${ids++}`;
}

function pick<Item>({ random }: Target, items: readonly Item[]): Item {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('there is nothing to choose from');
  return item;
}

async function dial({ port }: Target, allowHalfOpen = false): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
  socket.on('error', () => {});
  await happens(socket, 'connect', 'close');
  return socket;
}

/** In one of the ways to go. */
function leave(socket: Socket, { random }: Target): void {
  if (random() < 0.5) socket.destroy();
  else socket.resetAndDestroy();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One of these; an error is none of them, and a close follows it. */
function happens(socket: Socket, ...events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    for (const event of events) socket.once(event, () => resolve());
  });
}

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (part: Buffer) => {
    text += part.toString('latin1');
  });
  await happens(socket, 'close');
  return text;
}

async function lengthOf(socket: Socket): Promise<number> {
  let length = 0;
  socket.on('data', (part: Buffer) => {
    length += part.length;
  });
  await happens(socket, 'close');
  return length;
}

/** Everything until this has come, or the other side closes. */
function textUntil(socket: Socket, what: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const done = () => {
      socket.off('data', onData);
      socket.off('close', done);
      resolve(text);
    };
    const onData = (part: Buffer) => {
      text += part.toString('latin1');
      if (what.test(text)) done();
    };
    socket.on('data', onData);
    socket.on('close', done);
  });
}
