/**
 * The laws of test/unit/agent/http1/differential.property.test.ts through whole listeners and sockets: a server of Node sees
 * behind an outbound exactly the requests that there were, and a client of Node before it exactly the response.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, METHODS, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import fc from 'fast-check';
import type { ProxyListener } from '../../../../agent/proxy/listener.ts';
import { route } from '../../routing/resources.ts';
import { type Outcome, RequestPipe, ResponsePipe } from '../http1/codec-pipes.ts';
import { changed, cutInto, requests, responses, variant } from '../http1/message-arbitraries.ts';
import { readResponse } from '../http1/node-parser.ts';
import { serviceResources } from '../view/resources.ts';
import { World } from './world.ts';

/** Sockets are slower than the codec alone, by a factor of ten. */
const numRuns = Math.ceil(Number(process.env.SLUICE_FUZZ_RUNS ?? 150) / 10);
const variants = fc.array(variant, { minLength: 10, maxLength: 10 });
const all = 'reviews.default|http|';

describe('differential property of an outbound over sockets', function () {
  this.timeout(0);
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  /** A port for the service, whatever the Host says. */
  function listenerTo(port: number): Promise<ProxyListener> {
    world.directory.swap(serviceResources({ routes: [route('', { cluster: all })], clusters: { [all]: [{ port }] } }));
    return world.upstream('reviews.default');
  }

  /** Sends pieces, each in a packet of its own as far as the kernel lets it, and what comes back until the end. */
  async function converse({ address }: ProxyListener, pieces: readonly Buffer[]): Promise<Buffer> {
    const socket = connect({ ...address, allowHalfOpen: true, noDelay: true });
    // A reset is an end too.
    socket.on('error', () => {});
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    const isClosed = new Promise((resolve) => socket.once('close', resolve));
    await once(socket, 'connect');
    await say(socket, pieces);
    await isClosed;
    return Buffer.concat(parts);
  }

  async function say(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      if (socket.destroyed) return;
      socket.write(piece);
      await new Promise(setImmediate);
    }
    socket.end();
  }

  async function expectNothingLeft(listener: ProxyListener): Promise<void> {
    while (listener.connections > 0) await new Promise(setImmediate);
    expect(world.statistics.snapshot().active).to.equal(0);
    expect(world.faults).to.deep.equal([]);
  }

  it('of requests: the upstream gets those that were complete, and never a malformed one', async () => {
    const upstream = await startRecorder();
    const listener = await listenerTo(upstream.port);
    const pipe = new RequestPipe();
    const check = async (message: string, cuts: readonly number[]) => {
      const bytes = Buffer.from(message, 'latin1');
      const { passed } = pipe.pass([bytes]);
      const method = (sent: Buffer) => /^[^ ]*/.exec(sent.toString('latin1'))?.[0] ?? '';
      // Node refuses methods that it does not know, and what stands behind an offer of an upgrade is not told here.
      if (passed.some(({ sent, isUpgrade }) => isUpgrade || !METHODS.includes(method(sent)))) return;
      upstream.requests.length = 0;
      const answers = (await converse(listener, cutInto(bytes, cuts))).toString('latin1');
      expect(upstream.requests, JSON.stringify(message)).to.deep.equal(
        passed.map(({ sent }) => outlineOf(sent.toString('latin1'))),
      );
      expect(answers.split('HTTP/1.1 299 Seen').length - 1, answers).to.equal(passed.length);
      expect(upstream.faults.splice(0), JSON.stringify(message)).to.deep.equal([]);
    };
    const property = fc.asyncProperty(requests, variants, async (message, each) => {
      for (const { changes, cuts } of each) await check(changed(message.replaceAll('BREW', 'PUT'), changes), cuts);
    });
    await fc.assert(property, { numRuns });
    await expectNothingLeft(listener);
    upstream.close();
  });

  it('of responses: the client gets the one that was complete, else one that says 502, or half of one', async () => {
    let pieces: readonly Buffer[] = [];
    const port = await world.tcp((socket) => void socket.once('data', () => void say(socket, pieces)));
    const listener = await listenerTo(port);
    const pipe = new ResponsePipe();
    const check = async (message: string, cuts: readonly number[], situation: Situation) => {
      const bytes = Buffer.from(message, 'latin1');
      const { asked, isForHttp10 } = situation;
      const method = asked === 'HEAD' ? 'HEAD' : 'GET';
      pieces = cutInto(bytes, cuts);
      const version = isForHttp10 ? 'HTTP/1.0' : 'HTTP/1.1';
      const request = Buffer.from(`${method} / ${version}\r\nHost: a\r\n\r\n`);
      const got = await converse(listener, [request]);
      const { messages } = await readResponse(got, { method, ends: isForHttp10 });
      const want = await wanted(pipe.pass([bytes], { ...situation, ends: true }), method, isForHttp10);
      const seen = messages.map(({ headers, ...rest }) => ({ ...rest, headers: withoutConnection(headers) }));
      if (want === 'broken') {
        // An answer of the agent itself, or one that breaks off; without chunks and length it is told by a reset.
        const isOurs = messages[0]?.headers.some(([name]) => name === 'x-sluice-reason') ?? false;
        expect(isOurs || messages.length === 0 || isForHttp10, got.toString('latin1')).to.equal(true);
      } else expect(seen).to.deep.equal(want);
    };
    const situations: fc.Arbitrary<Situation> = fc.record({
      asked: fc.constantFrom('other', 'other', 'HEAD'),
      isForHttp10: fc.constantFrom(false, false, true),
    });
    const property = fc.asyncProperty(responses, variants, situations, async (message, each, situation) => {
      for (const { changes, cuts } of each) await check(changed(message, changes), cuts, situation);
    });
    await fc.assert(property, { numRuns });
    await expectNothingLeft(listener);
  });

  interface Situation {
    readonly asked: 'HEAD' | 'other';
    readonly isForHttp10: boolean;
  }

  /** What Node reads in what the codec alone makes of it. */
  async function wanted({ passed }: Outcome, method: string, isForHttp10: boolean) {
    const [only] = passed;
    if (only === undefined || only.isUpgrade) return 'broken';
    const { messages } = await readResponse(only.sent, { method, ends: isForHttp10 });
    return messages.map(({ headers, ...rest }) => ({ ...rest, headers: withoutConnection(headers) }));
  }

  /** What an upstream without agent says of reasons is taken off by the outbound, not by the codec. */
  function withoutConnection(headers: readonly (readonly [name: string, value: string])[]) {
    return headers.filter(([name]) => !/^(?:connection|x-sluice-.*)$/i.test(name));
  }

  interface Recorder {
    readonly port: number;
    /** What was complete, in outline. */
    readonly requests: string[];
    readonly faults: string[];
    close(): void;
  }

  /** A server of Node that notes what it gets and answers each request when it is complete. */
  async function startRecorder(): Promise<Recorder> {
    const requests: string[] = [];
    const faults: string[] = [];
    const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
      const body = await text(request.setEncoding('latin1')).catch(() => undefined);
      if (body === undefined) return;
      requests.push(`${request.method} ${request.url} ${body}`);
      response.writeHead(299, 'Seen', { 'content-length': 0 }).end();
    };
    const server = createServer({ maxHeaderSize: 1024 * 1024, keepAliveTimeout: 60_000 }, onRequest);
    server.on('checkContinue', onRequest);
    server.on('checkExpectation', onRequest);
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (!harmless.has(error.code ?? '')) faults.push(error.code ?? error.message);
      socket.destroy();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const close = () => {
      server.close();
      server.closeAllConnections();
    };
    return { port: (server.address() as AddressInfo).port, requests, faults, close };
  }
});

/** A request broke off; or it was of a method that is a token, which is all that a method must be, and Node does not know it. */
const harmless = new Set(['ECONNRESET', 'HPE_INVALID_EOF_STATE', 'HPE_INVALID_METHOD']);

/** Method, target and body of a request as it was sent, chunks taken out. */
function outlineOf(sent: string): string {
  const end = sent.indexOf('\r\n\r\n');
  const head = sent.slice(0, end);
  const [method, target] = head.split(' ');
  let rest = sent.slice(end + 4);
  if (!/^transfer-encoding:/im.test(head)) return `${method} ${target} ${rest}`;
  let body = '';
  for (;;) {
    const size = Number.parseInt(rest, 16);
    const from = rest.indexOf('\r\n') + 2;
    if (size === 0) return `${method} ${target} ${body}`;
    body += rest.slice(from, from + size);
    rest = rest.slice(from + size + 2);
  }
}
