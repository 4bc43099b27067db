import { expect } from 'chai';
import { decode } from 'dns-packet';
import fc from 'fast-check';
import { AnswerCache, cacheBounds } from '../../../../agent/dns/answer-cache.ts';
import { FrameReader, frame } from '../../../../agent/dns/length-framing.ts';
import { writeMessage } from '../../../../agent/dns/message-writer.ts';
import { answerTo } from '../../../../agent/dns/own-answer.ts';
import { readOwnQuestion } from '../../../../agent/dns/own-question.ts';
import { headerBytes } from '../../../../agent/dns/protocol.ts';
import { nameText, readQuery } from '../../../../agent/dns/query.ts';
import { readResolvConf } from '../../../../agent/dns/resolv-conf.ts';
import { readUpstreamAnswer } from '../../../../agent/dns/upstream-answer.ts';
import { judgeAnswer, writeUpstreamQuery } from '../../../../agent/dns/upstream-query.ts';
import { fuzz } from '../../model/fuzz-runs.ts';
import { createResponder, directory, instanceName, lines, question, read, reviews } from './dns-under-test.ts';

const names = ['reviews', 'many', 'details.default.mesh.local', '_http._tcp.many', 'x.mesh.local', 'www.example.com'];
const types = ['A', 'AAAA', 'SRV', 'PTR', 'SOA', 'TXT', 'ANY'] as const;
const aQuestion = fc
  .record({
    name: fc.constantFrom(...names),
    type: fc.constantFrom(...types),
    udpBytes: fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
  })
  .map(({ name, type, udpBytes }) => question(name, udpBytes === undefined ? { type } : { type, udpBytes }));

/** Bytes that begin as a question does and go on as they like: most of them get beyond the header. */
const aHeaderAndMore = fc
  .tuple(fc.uint8Array({ maxLength: 600 }), fc.constantFrom([0, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 2, 0, 3]))
  .map(([more, counts]) => Buffer.concat([Buffer.from([1, 2, 1, 0, ...counts]), more]));

const aMutation = fc.record({
  at: fc.nat(300),
  bytes: fc.uint8Array({ maxLength: 6 }),
  deed: fc.constantFrom('replace', 'insert', 'cut', 'repeat'),
});
const { answersTo: answersOf } = createResponder();
const anAnswer = aQuestion.map((message) => answersOf(message, 'tcp')[0] ?? message);
const aMutant = fc
  .tuple(fc.oneof(aQuestion, anAnswer), fc.array(aMutation, { minLength: 1, maxLength: 5 }))
  .map(([message, mutations]) =>
    mutations.reduce((bytes, { at, bytes: more, deed }) => {
      const place = at % (bytes.length + 1);
      if (deed === 'cut') return bytes.subarray(0, place);
      const rest = bytes.subarray(place + (deed === 'replace' ? more.length : 0));
      const repeated = deed === 'repeat' ? [bytes.subarray(place), bytes.subarray(place)] : [];
      return Buffer.concat([bytes.subarray(0, place), more, ...repeated, rest]);
    }, message),
  );

const anything = fc.oneof(
  aMutant,
  aHeaderAndMore,
  fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
);

/** Far more than any message needs, far less than a loop takes. */
const longestMs = 250;
function timed<Result>(run: () => Result): Result {
  const start = performance.now();
  const result = run();
  expect(performance.now() - start).to.be.below(longestMs);
  return result;
}

describe('a property of the DNS server', () => {
  it('whatever comes is answered at most once, with its id and as a response, within the size', () => {
    const { answersTo } = createResponder();
    fc.assert(
      fc.property(anything, fc.constantFrom('udp' as const, 'tcp' as const), (message, transport) => {
        const answers = timed(() => answersTo(message, transport));
        const isQuestion = message.length >= headerBytes && ((message[2] ?? 0) & 0x80) === 0;
        expect(answers).to.have.length(isQuestion ? 1 : 0);
        for (const answer of answers) {
          expect(answer.readUInt16BE(0)).to.equal(message.readUInt16BE(0));
          expect((answer[2] ?? 0) & 0x80).to.equal(0x80);
          expect(answer.length).to.be.at.most(transport === 'udp' ? 4_096 : 65_535);
        }
      }),
      fuzz,
    );
  });

  it('what is answered to a question that is none too odd can be read by dns-packet', () => {
    const { answersTo } = createResponder();
    fc.assert(
      fc.property(aQuestion, fc.nat(65_535), (message, id) => {
        message.writeUInt16BE(id, 0);
        const [answer] = answersTo(message);
        const asked = readQuery(message);
        if (asked === undefined || 'code' in asked) throw new Error('this is a question');
        const { questions, id: answeredId } = read(answer);
        expect(questions).to.deep.equal(decode(message).questions);
        expect(answeredId).to.equal(id);
        expect(answer?.length).to.be.at.most(Math.max(512, asked.edns?.udpBytes ?? 0));
      }),
      fuzz,
    );
  });

  it('an answer, cut anywhere, says the records that are left as the whole one does', () => {
    const text = 'many.default.mesh.local';
    const asked = question(text, { type: 'SRV' });
    const content = answerTo(
      {
        question: readOwnQuestion(`_http._tcp.${text}`, { domain: 'mesh.local', namespace: 'default' }),
        text,
        type: 33,
        domain: 'mesh.local',
      },
      instanceName('many', 60),
    );
    const write = (limitBytes: number) =>
      writeMessage({ question: asked.subarray(headerBytes), text, answer: content, limitBytes });
    const whole = decode(write(65_535));
    expect(lines(whole.answers)).to.deep.equal(lines([...content.answers]));
    expect(lines(whole.additionals)).to.deep.equal(lines([...content.additionals]));
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 8_000 }), (limitBytes) => {
        const bytes = write(limitBytes);
        expect(bytes.length).to.be.at.most(limitBytes);
        const { answers = [], flag_tc } = decode(bytes);
        expect(answers).to.deep.equal(whole.answers?.slice(0, answers.length));
        expect(flag_tc).to.equal(answers.length < 60);
      }),
      fuzz,
    );
  });

  it('an answer of a resolver, whatever it is, is read in bounded time, and kept no longer than a day', () => {
    fc.assert(
      fc.property(anything, (bytes) => {
        const message = Buffer.from(bytes);
        if (message.length > 2) message[2] = (message[2] ?? 0) | 0x80;
        const answer = timed(() => readUpstreamAnswer(message, 1));
        if (answer === undefined) return;
        expect(answer.freshSeconds).to.be.within(0, 86_400);
        expect(answer.bytes.length).to.be.at.most(message.length);
        for (const at of answer.ttlsAt) expect(at + 4).to.be.at.most(answer.bytes.length);
      }),
      fuzz,
    );
  });

  it('an answer is taken for what it is only with the id and the question that were sent', () => {
    fc.assert(
      fc.property(aQuestion, anything, fc.infiniteStream(fc.nat(255)), (message, answer, stream) => {
        const asked = readQuery(message);
        if (asked === undefined || 'code' in asked) throw new Error('this is a question');
        const wanted = {
          question: message.subarray(headerBytes, asked.questionEnd),
          type: asked.type,
          isRecursionDesired: true,
          isCheckingDisabled: false,
          isAuthenticDataAsked: false,
          isDnssecOk: false,
        };
        const query = writeUpstreamQuery(wanted, (count) => Uint8Array.from([...stream.take(count)]), false);
        const reply = Buffer.from(query);
        reply[2] = 0x81;
        expect(judgeAnswer(reply, query, wanted.question.length)).to.equal('answer');
        reply[0] = (reply[0] ?? 0) ^ 1;
        expect(judgeAnswer(reply, query, wanted.question.length)).to.equal('stranger');
        const kind = judgeAnswer(answer, query, wanted.question.length);
        expect(kind === 'stranger' || answer.readUInt16BE(0) === query.readUInt16BE(0)).to.equal(true);
      }),
      fuzz,
    );
  });

  it('messages over TCP are the same, however they are cut', () => {
    const someMessages = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 });
    fc.assert(
      fc.property(someMessages, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), (messages, cuts) => {
        const bytes = Buffer.concat(messages.map((message) => frame(Buffer.from(message))));
        const got: Buffer[] = [];
        const reader = new FrameReader((message) => got.push(message));
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const end = at + (cuts[turn % cuts.length] ?? 1);
          reader.push(bytes.subarray(at, end));
          at = end;
        }
        expect(got.map((each) => [...each])).to.deep.equal(messages.map((each) => [...each]));
      }),
      fuzz,
    );
  });

  it('the cache stays within its bounds and gives nothing that is over', () => {
    const anEntry = fc.record({
      key: fc.nat(30),
      bytes: fc.nat(3_000),
      freshSeconds: fc.nat(20),
      waitMs: fc.nat(5_000),
    });
    fc.assert(
      fc.property(fc.array(anEntry), (entries) => {
        const bounds = { entries: 8, bytes: 10_000 };
        const cache = new AnswerCache(bounds);
        const until = new Map<string, number>();
        let nowMs = 0;
        for (const { key, bytes, freshSeconds, waitMs } of entries) {
          nowMs += waitMs;
          const answer = { bytes: Buffer.alloc(bytes), flags: 0, code: 0, ttlsAt: [], freshSeconds };
          const kept = cache.get(`${key}`, nowMs);
          if (kept !== undefined) expect(nowMs).to.be.below(until.get(`${key}`) ?? 0);
          cache.put(`${key}`, answer, nowMs);
          until.set(`${key}`, nowMs + freshSeconds * 1_000);
          expect(cache.size).to.be.at.most(bounds.entries);
          expect(cache.bytes).to.be.within(0, bounds.bytes);
        }
      }),
      fuzz,
    );
    expect(cacheBounds).to.deep.equal({ entries: 2_000, bytes: 2 * 1024 * 1024 });
  });

  it('a name is read as text of as many characters as it has bytes, and asked for without a fault', () => {
    const aLabel = fc.uint8Array({ minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(fc.array(aLabel, { maxLength: 6 }), (labels) => {
        const name = labels.flatMap((label) => [label.length, ...label]);
        fc.pre(name.length < 255);
        const message = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 0, 1, 0, 1]);
        const query = readQuery(message);
        if (query === undefined || 'code' in query) throw new Error('this is a question');
        const text = nameText(query.key);
        expect(text.length).to.equal(Math.max(0, name.length - 1));
        const own = readOwnQuestion(text, { domain: 'mesh.local', namespace: 'default' });
        if (own.is === 'service') directory.find(own.name, own.instance);
        if (own.is === 'reverse') directory.nameOf(own.address);
      }),
      fuzz,
    );
  });

  it('a resolv.conf is read without a fault, whatever stands in it', () => {
    const aLine = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()).map((text) => `nameserver ${text}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(aLine, fc.string())), (all) => {
        expect(readResolvConf(all.join('\n')).length).to.be.at.most(8);
      }),
      fuzz,
    );
  });
});

describe('messages that were made to do harm', () => {
  const header = (answers: number) => Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, answers >> 8, answers & 0xff]);
  const root = Buffer.from([0, 0, 1, 0, 1]);
  const answerOf = (message: Buffer) => timed(() => createResponder().answersTo(message, 'tcp')[0]);

  for (const { says, message } of [
    { says: 'a name that leads to itself', message: Buffer.concat([header(0), Buffer.from([0xc0, 12, 0, 1, 0, 1])]) },
    {
      says: 'two names that lead to each other',
      message: Buffer.concat([header(1), root, Buffer.from([1, 0x61, 0xc0, 17, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])]),
    },
    { says: 'a name of 64 KB', message: Buffer.concat([header(0), Buffer.alloc(65_000, 1)]) },
    {
      says: 'a name of 64 KB in labels of 63',
      message: Buffer.concat([
        header(0),
        Buffer.alloc(65_000).fill(Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 0x61)])),
      ]),
    },
    {
      says: '64 KB of 65,535 records that are not there',
      message: Buffer.concat([header(65_535), root, Buffer.alloc(65_500, 0xff)]),
    },
  ]) {
    it(`are answered FORMERR: ${says}`, () => expect(read(answerOf(message)).rcode).to.equal('FORMERR'));
  }

  it('are read whole when they are only long: 64 KB of empty records', () => {
    const empty = Buffer.from([0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    const message = Buffer.concat([
      header(5_900),
      question('reviews').subarray(headerBytes),
      ...Array(5_900).fill(empty),
    ]);
    expect(lines(read(answerOf(message)).answers)).to.deep.equal([`A ${reviews.addresses[0]}`]);
  });
});
