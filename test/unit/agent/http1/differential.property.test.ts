/**
 * The codec and Node's own parser must agree: about what goes out, what came in, and what is no HTTP. Where they differ, one
 * request becomes two somewhere. Thousands of generated and changed messages a second; `npm run fuzz` tries 200,000 of each.
 */
import { METHODS } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import fc from 'fast-check';
import { headerKind } from '../../../../agent/http1/header-kind.ts';
import { RequestHead } from '../../../../agent/http1/request-head.ts';
import { type ForwardedHeader, forwardedHeaders } from '../../../../agent/proxy/forwarded.ts';
import { type Outcome, type Passed, RequestPipe, ResponsePipe } from './codec-pipes.ts';
import { changed, cutInto, requests, responses, variant } from './message-arbitraries.ts';
import { NodeServerParser, type Reading, type ReadMessage, readResponse } from './node-parser.ts';

const numRuns = Number(process.env.SLUICE_FUZZ_RUNS ?? 150);
/** Of each generated message: making one costs more than changing it. */
const variantsPerRun = 10;
const variants = fc.array(variant, { minLength: variantsPerRun, maxLength: variantsPerRun });

/** How it went, so that nobody takes a generator of nonsense for a proof. */
class Tally {
  passed = 0;
  refused = 0;
  waiting = 0;

  count({ passed, fault }: Outcome): void {
    this.passed += passed.length;
    if (fault !== '') this.refused++;
    else if (passed.length === 0) this.waiting++;
  }

  /** Each of the outcomes is seen often. */
  expectBalance(): void {
    const least = numRuns * variantsPerRun * 0.1;
    expect(Math.min(this.passed, this.refused)).to.be.above(least, JSON.stringify(this));
  }
}

/** The ids that a request is given when it has none are drawn anew each time. */
const drawnIds =
  /x-request-id: [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\r\n|traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n/g;

/** What must not depend on how the bytes are cut. */
function essence({ passed, fault }: Outcome): unknown {
  return {
    fault,
    passed: passed.map(({ sent, ...facts }) => ({ ...facts, sent: sent.toString('latin1').replace(drawnIds, '') })),
  };
}

function only({ messages, fault, isUnderWay }: Reading): ReadMessage | string {
  const [message] = messages;
  if (message === undefined || messages.length > 1 || fault !== '' || isUnderWay) {
    return `${messages.length} messages, ${isUnderWay ? 'another begun' : 'none begun'}, fault "${fault}"`;
  }
  return message;
}

type Field = readonly [name: string, value: string];

/** What ends at a proxy (RFC 9110, 7.6.1), told from the message as Node reads it. */
function passedFields(fields: readonly Field[], ofOneConnection: readonly string[]): Field[] {
  const named = fields
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) =>
      value
        .toLowerCase()
        .split(',')
        .map((option) => option.trim()),
    )
    .filter((option) => !(option in headerKind));
  const ending = new Set([...ofOneConnection, ...named]);
  return fields.filter(([name]) => !ending.has(name.toLowerCase()));
}

const ofConnection = ['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'te', 'upgrade'];
/** Changed at any place a name may still be one of those that agents alone may say. */
const ofAgents = /^x-sluice-(?!by$)/i;
const ofRequestConnection = [...ofConnection, 'proxy-authorization', 'http2-settings'];

function without(fields: readonly Field[], names: readonly string[]): Field[] {
  return fields.filter(([name]) => !names.includes(name.toLowerCase()));
}

/** Any token is a method (RFC 9110, 9.1), but llhttp knows some forty: one of those takes the place of others. */
function withKnownMethod(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const [emptyLines = '', method = ''] = /^((?:\r\n)*)([^ ]*)/.exec(text)?.slice(1) ?? [];
  if (METHODS.includes(method)) return bytes;
  return Buffer.from(`${emptyLines}POST${text.slice(emptyLines.length + method.length)}`, 'latin1');
}

/**
 * Node takes an interim response that closes for the last one; here the final one decides (RFC 9110, 15.2: a client must be
 * able to parse one or more of them before the final one).
 */
function withPatientInterim(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const interim = /^(?:HTTP\/1\.[01] 1\d\d[\s\S]*?\r\n\r\n)+/.exec(text)?.[0] ?? '';
  const patient = interim.replaceAll('HTTP/1.0', 'HTTP/1.1').replace(/^connection:.*\r\n/gim, '');
  return Buffer.from(patient + text.slice(interim.length), 'latin1');
}

/** What is in use when all that nobody needs is gone. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('the codec and the parser of Node', function () {
  this.timeout(0);
  let node: NodeServerParser;
  before(() => {
    node = new NodeServerParser();
  });
  after(() => node.close());

  describe('differential property of requests', () => {
    const pipes = {
      outbound: { pipe: new RequestPipe(), added: [] },
      inbound: { pipe: new RequestPipe(forwardedHeaders), added: forwardedHeaders },
    } as const;

    /** What Node must read in what is sent, from what it reads in what came. */
    function expected({ start, headers, ...rest }: ReadMessage, isUpgrade: boolean): ReadMessage {
      const [method = '', target = ''] = start.split(' ');
      const [, authority, path = ''] = /^http:\/\/([^/?]*)(.*)$/i.exec(target) ?? [];
      const isForServer = method === 'OPTIONS' && path === '';
      const sentTarget = authority === undefined ? target : isForServer ? '*' : path.replace(/^(?!\/)/, '/');
      const isHosted = headers.some(([name]) => name.toLowerCase() === 'host');
      const host = authority ?? (isHosted ? undefined : '');
      const ending = host === undefined ? ofRequestConnection : [...ofRequestConnection, 'host'];
      const kept = passedFields(headers, ending).filter(([name]) => !ofAgents.test(name));
      const upgrade = headers.find(([name]) => name.toLowerCase() === 'upgrade')?.[1] ?? '';
      return {
        ...rest,
        start: `${method} ${sentTarget}`,
        version: '1.1',
        headers: [
          ...(host === undefined ? [] : [['host', host] as const]),
          ...kept,
          ...(isUpgrade ? [['connection', 'upgrade'] as const, ['upgrade', upgrade] as const] : []),
        ],
      };
    }

    /** Without what was added. */
    function withoutOurs({ headers, ...rest }: ReadMessage, came: ReadMessage): ReadMessage {
      const has = (id: string) => came.headers.some(([name]) => name.toLowerCase() === id);
      return {
        ...rest,
        headers: without(
          headers,
          ['x-request-id', 'traceparent'].filter((id) => !has(id)),
        ),
      };
    }

    async function checkPassed(bytes: Buffer, passed: Passed, added: readonly ForwardedHeader[]): Promise<void> {
      const original = bytes.subarray(passed.from, passed.to);
      const came = only(await node.read(withKnownMethod(original)));
      const went = only(await node.read(withKnownMethod(passed.sent)));
      if (typeof came === 'string' || typeof went === 'string') {
        throw new Error(`passed on, but Node reads ${came} in it and ${went} in what is sent`);
      }
      const [is, want] = [withoutOurs(went, came), expected(came, passed.isUpgrade)];
      expect({ ...is, headers: without(is.headers, added) }).to.deep.equal({
        ...want,
        headers: without(want.headers, added),
      });
      expectSameHeaders(original, came);
    }

    /** The proxy routes by what it reads, so it must read what everybody reads. */
    function expectSameHeaders(bytes: Buffer, { headers }: ReadMessage): void {
      const head = new RequestHead();
      head.parse(bytes, 0, bytes.length);
      const { fields } = head;
      const read = Array.from({ length: fields.count }, (_, index) => [fields.name(index), fields.value(index)]);
      expect(read).to.deep.equal(headers);
    }

    for (const [side, { pipe, added }] of Object.entries(pipes)) {
      it(`${side}: what goes out is what came in, and what Node refuses is refused, wherever it is cut`, async () => {
        const tally = new Tally();
        const check = async (text: string, cuts: readonly number[]) => {
          const bytes = Buffer.from(text, 'latin1');
          const whole = pipe.pass([bytes]);
          const inPieces = pipe.pass(cutInto(bytes, cuts));
          expect(essence(inPieces)).to.deep.equal(essence(whole));
          tally.count(whole);
          for (const passed of whole.passed) await checkPassed(bytes, passed, added);
          // A request that breaks off must not look whole to the upstream.
          for (const { begun } of [whole, inPieces]) {
            if (begun.length > 0) expect((await node.read(withKnownMethod(begun))).messages).to.deep.equal([]);
          }
        };
        const property = fc.asyncProperty(requests, variants, async (text, all) => {
          for (const { changes, cuts } of all) await check(changed(text, changes), cuts);
        });
        await fc.assert(property, { numRuns: numRuns / 2 });
        tally.expectBalance();
      });
    }
  });

  it('property: the codec keeps nothing of messages, however many there were', () => {
    const [requestPipe, responsePipe] = [new RequestPipe(), new ResponsePipe()];
    const seed = 1;
    const messages = fc.sample(fc.tuple(requests, responses, variants), { numRuns: 200, seed });
    const passAll = () => {
      for (const [request, response, all] of messages) {
        for (const { changes, cuts } of all) {
          requestPipe.pass(cutInto(Buffer.from(changed(request, changes), 'latin1'), cuts));
          const bytes = Buffer.from(changed(response, changes), 'latin1');
          responsePipe.pass(cutInto(bytes, cuts), { asked: 'other', isForHttp10: false, ends: true });
        }
      }
    };
    // The first times, code is compiled and buffers grow.
    for (let n = 0; n < 3; n++) passAll();
    // What is kept is kept each time; what other files of the process have left may grow once.
    const growths = [1, 2, 3].map(() => {
      const before = usedBytes();
      for (let n = 0; n < 10; n++) passAll();
      return usedBytes() - before;
    });
    expect(Math.min(...growths)).to.be.below(1_000_000);
  });

  describe('differential property of responses', () => {
    const pipe = new ResponsePipe();
    const situations = fc.record({
      asked: fc.constantFrom('other', 'other', 'other', 'HEAD'),
      isForHttp10: fc.constantFrom(false, false, true),
      ends: fc.boolean(),
    });

    it('what goes out is what came in, and what Node refuses is refused, wherever it is cut', async () => {
      const tally = new Tally();
      const check = async (
        text: string,
        cuts: readonly number[],
        situation: typeof situations extends fc.Arbitrary<infer S> ? S : never,
      ) => {
        const bytes = Buffer.from(text, 'latin1');
        const whole = pipe.pass([bytes], situation);
        const inPieces = pipe.pass(cutInto(bytes, cuts), situation);
        tally.count(whole);
        expect(shape(inPieces)).to.deep.equal(shape(whole));
        const method = situation.asked === 'HEAD' ? 'HEAD' : 'GET';
        for (const [index, { from, to, sent, isUpgrade }] of whole.passed.entries()) {
          if (isUpgrade) continue;
          const original = withPatientInterim(bytes.subarray(from, to));
          const came = await readResponse(original, { method, ends: situation.ends });
          const went = await readResponse(sent, { method, ends: situation.isForHttp10 });
          expectSame(came, went, situation.isForHttp10);
          const again = await readResponse(inPieces.passed[index]?.sent ?? sent, {
            method,
            ends: situation.isForHttp10,
          });
          expect(again).to.deep.equal(went);
        }
        for (const { begun } of [whole, inPieces]) {
          if (begun.length > 0 && !situation.isForHttp10) {
            expect((await readResponse(begun, { method, ends: true })).messages).to.deep.equal([]);
          }
        }
      };
      const property = fc.asyncProperty(responses, variants, situations, async (text, all, situation) => {
        for (const { changes, cuts } of all) await check(changed(text, changes), cuts, situation);
      });
      await fc.assert(property, { numRuns });
      tally.expectBalance();
    });

    /** Chunks that the proxy makes itself are as long as the pieces. */
    function shape({ passed, fault }: Outcome): unknown {
      return { fault, passed: passed.map(({ sent: _, ...facts }) => facts) };
    }

    function expectSame(came: Reading, went: Reading, isForHttp10: boolean): void {
      const [original, sent] = [only(came), only(went)];
      if (typeof original === 'string' || typeof sent === 'string') {
        throw new Error(`passed on, but Node reads ${original} in it and ${sent} in what is sent`);
      }
      expect(went.interim).to.deep.equal(isForHttp10 ? [] : came.interim);
      const framing = ['connection', 'transfer-encoding', 'content-length'];
      expect({ ...sent, headers: without(sent.headers, framing) }).to.deep.equal({
        ...original,
        version: '1.1',
        headers: without(passedFields(original.headers, ofConnection), framing),
        trailers: isForHttp10 ? [] : original.trailers,
      });
    }
  });
});
