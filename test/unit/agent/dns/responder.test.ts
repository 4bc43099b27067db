import { expect } from 'chai';
import type { NameAnswer } from '../../../../agent/dns/name-directory.ts';
import {
  createResponder,
  details,
  lines,
  type QuestionOptions,
  question,
  ratings,
  read,
  reviews,
} from './dns-under-test.ts';

const soa = 'SOA mesh.local 5';

interface Row {
  readonly name: string;
  readonly type: NonNullable<QuestionOptions['type']>;
  readonly code?: string;
  readonly answers?: readonly string[];
  readonly authorities?: readonly string[];
  readonly additionals?: readonly string[];
}

const fullName = 'reviews.default.mesh.local';
const rows: readonly Row[] = [
  ...['reviews', 'reviews.default', fullName, 'Reviews.DEFAULT.mesh.Local'].map(
    (name): Row => ({ name, type: 'A', answers: ['A 240.240.0.1'] }),
  ),
  { name: fullName, type: 'AAAA', answers: ['AAAA fd00::1'] },
  { name: fullName, type: 'ANY', answers: ['A 240.240.0.1', 'AAAA fd00::1'] },
  { name: fullName, type: 'TXT', authorities: [soa] },
  { name: 'com.example.user.UserFacade', type: 'A', answers: ['A 240.240.0.2'] },
  { name: 'com.example.user.UserFacade', type: 'AAAA', authorities: ['SOA com.example.user.UserFacade 5'] },
  { name: 'ratings.shop', type: 'A', answers: ['A 240.240.0.2'] },
  { name: 'ratings', type: 'A', code: 'SERVFAIL' },
  {
    name: '_http._tcp.reviews.default.mesh.local',
    type: 'SRV',
    answers: [`SRV 80 ${fullName}`],
    additionals: ['A 240.240.0.1', 'AAAA fd00::1'],
  },
  {
    name: '_http._tcp.reviews',
    type: 'SRV',
    answers: [`SRV 80 ${fullName}`],
    additionals: ['A 240.240.0.1', 'AAAA fd00::1'],
  },
  { name: '_http._tcp.reviews.default.mesh.local', type: 'A', authorities: [soa] },
  { name: '_grpc._tcp.reviews.default.mesh.local', type: 'SRV', code: 'NXDOMAIN', authorities: [soa] },
  { name: '_http._udp.reviews.default.mesh.local', type: 'SRV', code: 'NXDOMAIN', authorities: [soa] },
  { name: '_tcp.reviews.default.mesh.local', type: 'SRV', authorities: [soa] },
  { name: 'details', type: 'A', answers: ['A 10.0.0.0', 'A 10.0.0.1', 'A 10.0.0.2'] },
  { name: 'details-1.details.default.mesh.local', type: 'A', answers: ['A 10.0.0.1'] },
  { name: 'details-9.details.default.mesh.local', type: 'A', code: 'NXDOMAIN', authorities: [soa] },
  {
    name: '_http._tcp.details-1.details.default.mesh.local',
    type: 'SRV',
    answers: ['SRV 8081 details-1.details.default.mesh.local'],
    additionals: ['A 10.0.0.1'],
  },
  { name: 'nobody.default.mesh.local', type: 'A', authorities: [soa] },
  { name: '_http._tcp.nobody.default.mesh.local', type: 'SRV', authorities: [soa] },
  { name: 'missing.default.mesh.local', type: 'A', code: 'NXDOMAIN', authorities: [soa] },
  { name: 'www.example.com.mesh.local', type: 'A', code: 'NXDOMAIN', authorities: [soa] },
  { name: 'x_y.default.mesh.local', type: 'A', code: 'NXDOMAIN', authorities: [soa] },
  { name: 'mesh.local', type: 'SOA', answers: [soa] },
  { name: 'mesh.local', type: 'NS', answers: ['NS ns.mesh.local'] },
  { name: 'mesh.local', type: 'A', authorities: [soa] },
  { name: 'default.mesh.local', type: 'A', authorities: [soa] },
  { name: 'other.mesh.local', type: 'A', code: 'NXDOMAIN', authorities: [soa] },
  { name: '1.0.240.240.in-addr.arpa', type: 'PTR', answers: [`PTR ${fullName}`] },
  { name: `1.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, type: 'PTR', answers: [`PTR ${fullName}`] },
  { name: '1.0.240.240.in-addr.arpa', type: 'A', authorities: ['SOA 1.0.240.240.in-addr.arpa 5'] },
  { name: '9.9.240.240.in-addr.arpa', type: 'PTR', code: 'NXDOMAIN', authorities: ['SOA 9.240.240.in-addr.arpa 5'] },
  { name: '1.0.0.127.in-addr.arpa', type: 'PTR', code: 'SERVFAIL' },
  { name: 'www.example.com', type: 'A', code: 'SERVFAIL' },
];

describe('the answer to a question', () => {
  for (const { name, type, code = 'NOERROR', answers = [], authorities = [], additionals = [] } of rows) {
    const said = answers.length > 0 ? answers.join(', ') : `${code}${authorities.length > 0 ? ' with SOA' : ''}`;
    it(`${name} ${type}: ${said}`, () => {
      const { rcode, flag_aa, ...packet } = createResponder().ask(name, { type });
      expect({
        code: rcode,
        isAuthoritative: flag_aa,
        answers: lines(packet.answers),
        authorities: lines(packet.authorities),
        additionals: lines(packet.additionals),
      }).to.deep.equal({ code, isAuthoritative: code !== 'SERVFAIL', answers, authorities, additionals });
    });
  }

  it('has the id, the spelling and RD of the question, and RA', () => {
    const { ask } = createResponder();
    ask('reviews', { id: 1 });
    const { id, questions, answers, flag_rd, flag_ra, flag_qr } = ask('rEViews', { id: 65_535 });
    expect({ id, name: questions?.[0]?.name, owner: answers?.[0]?.name, flag_rd, flag_ra, flag_qr }).to.deep.equal({
      id: 65_535,
      name: 'rEViews',
      owner: 'rEViews',
      flag_rd: true,
      flag_ra: true,
      flag_qr: true,
    });
    expect(ask('reviews', { flags: 0 }).flag_rd).to.equal(false);
  });

  it('says nothing of EDNS to who does not, and our size and DO to who does', () => {
    const { ask } = createResponder();
    expect(ask('reviews').additionals).to.deep.equal([]);
    const [opt] = ask('reviews', { udpBytes: 1_232, isDnssecOk: true }).additionals ?? [];
    expect(opt).to.deep.include({ type: 'OPT', udpPayloadSize: 4_096, ednsVersion: 0, flag_do: true });
  });

  it('is what the directory says now, not what it said before', () => {
    let found: NameAnswer | 'unknown' = reviews;
    const { ask } = createResponder({ find: () => found });
    const asked = () => lines(ask('x.default.mesh.local').answers);
    expect(asked()).to.deep.equal(['A 240.240.0.1']);
    found = ratings;
    expect(asked()).to.deep.equal(['A 240.240.0.2']);
    found = 'unknown';
    expect(asked()).to.deep.equal([]);
    found = { ...details };
    expect(asked()).to.have.length(3);
  });

  it('begins with each instance in turn', () => {
    const { ask } = createResponder();
    const firsts = Array.from({ length: 4 }, () => lines(ask('details').answers)[0]);
    expect(firsts).to.deep.equal(['A 10.0.0.0', 'A 10.0.0.1', 'A 10.0.0.2', 'A 10.0.0.0']);
  });

  it('is kept as bytes: the same question is put together once', () => {
    const { answersTo } = createResponder();
    const [first] = answersTo(question('reviews'));
    const [second] = answersTo(question('reviews'));
    expect(second).to.deep.equal(first);
    expect(second).not.to.equal(first);
  });
});

describe('an answer that is too long', () => {
  for (const { says, udpBytes, most } of [
    { says: 'to 512 bytes without EDNS', udpBytes: undefined, most: 512 },
    { says: 'to 512 bytes for a client that says less', udpBytes: 100, most: 512 },
    { says: 'to the size that the client says', udpBytes: 1_232, most: 1_232 },
  ]) {
    it(`is cut ${says}, with TC and as many records as fit`, () => {
      const { answersTo } = createResponder();
      const [answer] = answersTo(question('many', udpBytes === undefined ? {} : { udpBytes }));
      const { flag_tc, answers } = read(answer);
      expect(flag_tc).to.equal(true);
      expect(answer?.length).to.be.within(most - 16, most);
      expect(answers?.length).to.be.above(20);
    });
  }

  it('is whole with EDNS if it fits, and over TCP in any case', () => {
    const { ask } = createResponder();
    for (const packet of [ask('many', { udpBytes: 4_096 }), ask('many', {}, 'tcp')]) {
      expect(packet.flag_tc).to.equal(false);
      expect(packet.answers).to.have.length(100);
    }
  });

  it('goes without additional records before it is cut', () => {
    const { flag_tc, answers, additionals } = createResponder().ask('_http._tcp.details', {
      type: 'SRV',
      udpBytes: 512,
    });
    expect({ flag_tc, answers: answers?.length, additionals: additionals?.length }).to.deep.equal({
      flag_tc: false,
      answers: 3,
      additionals: 4,
    });
    const cut = createResponder().ask('_http._tcp.many', { type: 'SRV', udpBytes: 4_096 });
    expect({ isCut: cut.flag_tc, additionals: lines(cut.additionals) }).to.deep.equal({ isCut: true, additionals: [] });
  });
});

describe('a directory that takes its time', () => {
  it('is waited for', async () => {
    const { answersTo } = createResponder({ find: () => Promise.resolve(reviews) });
    const answers = answersTo(question('reviews'));
    expect(answers).to.deep.equal([]);
    await new Promise(setImmediate);
    expect(lines(read(answers[0]).answers)).to.deep.equal(['A 240.240.0.1']);
  });

  for (const { name, says } of [
    { name: 'reviews.default.mesh.local', says: 'SERVFAIL for a name of its domain, never that it is not there' },
    { name: 'www.example.com', says: 'what the resolvers say for other names; here there are none' },
  ]) {
    it(`is given up after two seconds: ${says}`, () => {
      const { answersTo, clock, counters } = createResponder({ find: () => new Promise(() => {}) });
      const answers = answersTo(question(name));
      clock.advance(1_999);
      expect(answers).to.deep.equal([]);
      clock.advance(1);
      expect(read(answers[0]).rcode).to.equal('SERVFAIL');
      expect(counters).to.deep.include({ failures: 1, ownAnswers: 0 });
    });
  }

  it('may fail', async () => {
    const { answersTo } = createResponder({ find: () => Promise.reject(new Error('gone')) });
    const answers = answersTo(question('reviews.default.mesh.local'));
    await new Promise(setImmediate);
    expect(read(answers[0]).rcode).to.equal('SERVFAIL');
  });

  it('holds a bounded number of questions; the next is answered SERVFAIL', () => {
    const { answersTo, counters } = createResponder({ find: () => new Promise(() => {}) });
    const answers = Array.from({ length: 1_025 }, () => answersTo(question('reviews')));
    expect(answers.filter(([answer]) => answer !== undefined)).to.have.length(1);
    expect(counters.overflows).to.equal(1);
  });
});

describe('what is no question', () => {
  const plain = question('reviews');
  const patched = (at: number, ...bytes: number[]) => {
    const message = Buffer.from(plain);
    message.set(bytes, at);
    return message;
  };
  const opt = question('reviews', { udpBytes: 1_232 });
  const withOpt = (change: (message: Buffer) => void) => {
    const message = Buffer.from(opt);
    change(message);
    return message;
  };

  for (const { says, message, code } of [
    { says: 'another opcode: NOTIMP', message: patched(2, 0x20), code: 'NOTIMP' },
    { says: 'another class: REFUSED', message: patched(plain.length - 1, 3), code: 'REFUSED' },
    { says: 'a zone transfer: REFUSED', message: question('mesh.local', { type: 'AXFR' }), code: 'REFUSED' },
    { says: 'no question: FORMERR', message: patched(4, 0, 0), code: 'FORMERR' },
    { says: 'two questions: FORMERR', message: patched(4, 0, 2), code: 'FORMERR' },
    { says: 'a name that goes beyond the message: FORMERR', message: plain.subarray(0, 16), code: 'FORMERR' },
    { says: 'a name without type: FORMERR', message: plain.subarray(0, plain.length - 2), code: 'FORMERR' },
    { says: 'a pointer in the question: FORMERR', message: patched(12, 0xc0, 12), code: 'FORMERR' },
    { says: 'a label of a kind that there is not: FORMERR', message: patched(12, 0x47), code: 'FORMERR' },
    { says: 'the type OPT: FORMERR', message: patched(plain.length - 3, 41), code: 'FORMERR' },
    { says: 'fewer records than it says: FORMERR', message: patched(10, 0, 1), code: 'FORMERR' },
    {
      says: 'an OPT record with a name: FORMERR',
      message: withOpt((it) => it.set([1], plain.length)),
      code: 'FORMERR',
    },
    {
      says: 'two OPT records: FORMERR',
      message: Buffer.concat([withOpt((it) => it.set([2], 11)), opt.subarray(plain.length)]),
      code: 'FORMERR',
    },
    {
      says: 'an OPT record among the answers: FORMERR',
      message: withOpt((it) => it.set([0, 1, 0, 0, 0, 0], 6)),
      code: 'FORMERR',
    },
  ]) {
    it(says, () => {
      const { answersTo, counters } = createResponder();
      const { rcode, id, flag_qr } = read(answersTo(message)[0]);
      expect({ rcode, id, flag_qr, refused: counters.refused }).to.deep.equal({
        rcode: code,
        id: 4_711,
        flag_qr: true,
        refused: 1,
      });
    });
  }

  it('a version of EDNS that there is not: BADVERS, of which the upper bits stand in OPT', () => {
    const { answersTo } = createResponder();
    const packet = read(answersTo(withOpt((it) => it.set([1], plain.length + 6)))[0]);
    expect(packet.rcode).to.equal('NOERROR');
    expect(packet.additionals?.[0]).to.deep.include({ type: 'OPT', extendedRcode: 1, ednsVersion: 0 });
  });

  for (const { says, message } of [
    { says: 'a response', message: patched(2, 0x80) },
    { says: 'less than a header', message: plain.subarray(0, 11) },
    { says: 'nothing', message: Buffer.alloc(0) },
  ]) {
    it(`is dropped: ${says}`, () => {
      const { answersTo, counters } = createResponder();
      expect(answersTo(message)).to.deep.equal([]);
      expect(counters.dropped).to.equal(1);
    });
  }
});
