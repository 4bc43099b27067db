import { expect } from 'chai';
import fc from 'fast-check';
import { frameMessage, MessageReader } from '../../../../server/grpc/message-framing.ts';
import { StatusError } from '../../../../server/grpc/status.ts';

const runs = Number(process.env.SLUICE_FUZZ_RUNS ?? 200);

/** All messages of the reader, read after each piece. */
function readAll(pieces: readonly Buffer[], mostBytes = 1_000): { bytes: string; isCompressed: boolean }[] {
  const reader = new MessageReader(mostBytes);
  const messages = [];
  for (const piece of pieces) {
    reader.add(piece);
    for (let message = reader.next(); message !== undefined; message = reader.next()) {
      messages.push({ bytes: message.bytes.toString('hex'), isCompressed: message.isCompressed });
    }
  }
  return messages;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

describe('messages of gRPC', () => {
  it('property: come out as they went in, however they are cut', () => {
    const message = fc.record({ bytes: fc.uint8Array({ maxLength: 300 }), isCompressed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 12 }), (messages, places) => {
        const stream = messages.map(({ bytes, isCompressed }) => {
          const framed = frameMessage([Buffer.from(bytes)]);
          framed[0] = isCompressed ? 1 : 0;
          return framed;
        });
        expect(readAll(cut(Buffer.concat(stream), places))).to.deep.equal(
          messages.map(({ bytes, isCompressed }) => ({ bytes: Buffer.from(bytes).toString('hex'), isCompressed })),
        );
      }),
      { numRuns: runs },
    );
  });

  it('property: of garbage are messages of no more than may be, or a refusal', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (pieces) => {
        try {
          for (const { bytes } of readAll(
            pieces.map((piece) => Buffer.from(piece)),
            20,
          )) {
            expect(bytes.length / 2).to.be.at.most(20);
          }
        } catch (error) {
          expect(error).to.be.instanceOf(StatusError);
        }
      }),
      { numRuns: runs },
    );
  });

  it('that are too long are refused by their first bytes', () => {
    const [first = Buffer.alloc(0)] = cut(frameMessage([Buffer.alloc(2_000)]), [5]);
    expect(() => readAll([first])).to.throw(
      StatusError,
      'a message has 2000 bytes: more than the 1000 that it may have',
    );
  });

  it('that come byte by byte are whole with the last, and nothing is left of them', () => {
    const reader = new MessageReader(2 ** 20);
    const message = frameMessage([Buffer.alloc(100_000, 'a')]);
    for (let at = 0; at < message.length - 1; at++) reader.add(message.subarray(at, at + 1));
    expect([reader.next(), reader.unfinishedBytes]).to.deep.equal([undefined, message.length - 1]);
    reader.add(message.subarray(-1));
    expect(reader.next()?.bytes).to.deep.equal(Buffer.alloc(100_000, 'a'));
    expect([reader.next(), reader.unfinishedBytes]).to.deep.equal([undefined, 0]);
  });

  it('stay as they are when more comes', () => {
    const reader = new MessageReader(1_000);
    const [first, second] = [frameMessage([Buffer.alloc(600, 'a')]), frameMessage([Buffer.alloc(600, 'b')])];
    for (const piece of cut(Buffer.concat([first, second]), [200, 400, 700, 900])) reader.add(piece);
    const a = reader.next()?.bytes;
    reader.add(first);
    expect([reader.next()?.bytes, reader.next()?.bytes, a]).to.deep.equal(
      ['b', 'a', 'a'].map((letter) => Buffer.alloc(600, letter)),
    );
  });
});
