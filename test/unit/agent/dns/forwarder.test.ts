import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { expect } from 'chai';
import { type Answer as DnsRecord, decode, encode, type Packet } from 'dns-packet';
import { lines, question, type Read } from './dns-under-test.ts';
import { ServersUnderTest } from './servers-under-test.ts';

const name = 'www.example.com';
const a = (data: string, ttl = 60): DnsRecord => ({ type: 'A', name, ttl, data });
const soa = (minimum: number, ttl = 60): DnsRecord => ({
  type: 'SOA',
  name: 'example.com',
  ttl,
  data: { mname: 'ns.example.com', rname: 'x.example.com', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});

describe('a name that is not of the mesh', () => {
  const servers = new ServersUnderTest();
  afterEach(() => servers.close());

  it('is asked of the first resolver; the answer is passed on without AA, with RA and the spelling of the client', async () => {
    const upstream = await servers.upstream(({ reply }) => reply({ flags: 0x0400, answers: [a('192.0.2.1')] }));
    const { ask } = await servers.start([upstream]);
    const { id, flag_aa, flag_ra, questions, answers } = await ask('wWw.example.com', { id: 77 });
    expect({ id, flag_aa, flag_ra, question: questions?.[0]?.name, answers: lines(answers) }).to.deep.equal({
      id: 77,
      flag_aa: false,
      flag_ra: true,
      question: 'wWw.example.com',
      answers: ['A 192.0.2.1'],
    });
  });

  it('is asked with an id, a port and capitals of its own each time', async () => {
    const seen: { id: number; port: number; name: string }[] = [];
    const upstream = await servers.upstream(({ query, port, reply }) => {
      seen.push({ id: query.id ?? 0, port, name: query.questions?.[0]?.name ?? '' });
      reply({});
    });
    const { ask } = await servers.start([upstream]);
    for (let round = 0; round < 8; round++) await ask('an-example-with-many-letters.example.com');
    for (const part of ['id', 'port', 'name'] as const) {
      expect(new Set(seen.map((each) => each[part])).size, part).to.be.above(4);
    }
  });

  it('is asked with our OPT record, and the OPT record of the answer is ours too', async () => {
    let asked: Packet['additionals'];
    const upstream = await servers.upstream(({ query, reply }) => {
      asked = query.additionals;
      reply({ answers: [a('192.0.2.1')], additionals: query.additionals ?? [] });
    });
    const { ask } = await servers.start([upstream]);
    const plain = await ask(name, { isDnssecOk: false });
    expect(asked?.[0]).to.deep.include({ type: 'OPT', udpPayloadSize: 1_232, flag_do: false });
    expect(plain.additionals).to.deep.equal([]);
    const secure = await ask(name, { isDnssecOk: true, udpBytes: 1_232 });
    expect(asked?.[0]).to.deep.include({ flag_do: true });
    expect(secure.additionals).to.have.length(1);
    expect(secure.additionals?.[0]).to.deep.include({ type: 'OPT', udpPayloadSize: 4_096 });
  });

  it('is asked of the next resolver when one is not there', async () => {
    const upstream = await servers.upstream(({ reply }) => reply({ answers: [a('192.0.2.2')] }));
    const { ask, counters } = await servers.start([await servers.nobody(), upstream]);
    expect(lines((await ask(name)).answers)).to.deep.equal(['A 192.0.2.2']);
    expect(counters.upstreamFailures).to.equal(1);
  });

  it('is asked of the next resolver when one is silent, and of that one first from then on', async () => {
    let silent = 0;
    const first = await servers.upstream(() => silent++);
    const second = await servers.upstream(({ reply }) => reply({ answers: [a('192.0.2.2')] }));
    const { ask } = await servers.start([first, second], { attemptMs: 30 });
    expect(lines((await ask(name)).answers)).to.deep.equal(['A 192.0.2.2']);
    await ask('another.example.com');
    expect(silent).to.equal(1);
  });

  it('may be answered late by a resolver that was passed over', async () => {
    let late = () => {};
    const first = await servers.upstream(({ reply }) => {
      late = () => reply({ answers: [a('192.0.2.1')] });
    });
    const second = await servers.upstream(() => late());
    const { ask } = await servers.start([first, second], { attemptMs: 30 });
    expect(lines((await ask(name)).answers)).to.deep.equal(['A 192.0.2.1']);
  });

  for (const code of [2, 5]) {
    it(`is asked of the next resolver when one answers code ${code}, which is passed on when no other says more`, async () => {
      const poor = await servers.upstream(({ reply }) => reply({ flags: code }));
      const good = await servers.upstream(({ reply }) => reply({ answers: [a('192.0.2.2')] }));
      const { ask } = await servers.start([poor, good]);
      expect(lines((await ask(name)).answers)).to.deep.equal(['A 192.0.2.2']);
      const alone = await servers.start([poor]);
      expect((await alone.ask(name)).rcode).to.equal(code === 2 ? 'SERVFAIL' : 'REFUSED');
    });
  }

  it('is SERVFAIL when nobody answers in time', async () => {
    const upstream = await servers.upstream(() => {});
    const { ask, counters } = await servers.start([upstream], { attemptMs: 20, wholeMs: 100 });
    expect((await ask(name)).rcode).to.equal('SERVFAIL');
    expect(counters).to.deep.include({ failures: 1, underWay: 0 });
  });

  it('is SERVFAIL when there is no resolver, or none but this server itself', async () => {
    const { ask, ownAddress } = await servers.start([]);
    expect((await ask(name)).rcode).to.equal('SERVFAIL');
    const upstreams = [ownAddress];
    const itself = await servers.start(upstreams);
    upstreams[0] = itself.ownAddress;
    expect((await itself.ask(name)).rcode).to.equal('SERVFAIL');
    expect(itself.counters.forwarded).to.equal(0);
  });

  it('is asked again without EDNS of a resolver that cannot read it', async () => {
    const upstream = await servers.upstream(({ query, reply, replyBytes }) => {
      if ((query.additionals?.length ?? 0) === 0) return reply({ answers: [a('192.0.2.1')] });
      // The header alone, as those do.
      const bytes = encode({ type: 'response', id: query.id ?? 0, flags: 1 });
      replyBytes(bytes);
    });
    const { ask } = await servers.start([upstream]);
    expect(lines((await ask(name)).answers)).to.deep.equal(['A 192.0.2.1']);
  });
});

describe('an answer of a stranger', () => {
  const servers = new ServersUnderTest();
  afterEach(() => servers.close());
  const forged: Packet = { type: 'response', answers: [a('203.0.113.66')] };

  for (const { says, change } of [
    { says: 'another id', change: (packet: Packet) => ({ ...packet, id: ((packet.id ?? 0) + 1) & 0xffff }) },
    {
      says: 'another name',
      change: (packet: Packet): Packet => ({ ...packet, questions: [{ type: 'A', name: 'www.example.org' }] }),
    },
    {
      says: 'another type',
      change: ({ questions, ...packet }: Packet): Packet => ({
        ...packet,
        questions: (questions ?? []).map((each) => ({ ...each, type: 'AAAA' as const })),
      }),
    },
    {
      says: 'another class',
      change: ({ questions, ...packet }: Packet): Packet => ({
        ...packet,
        questions: (questions ?? []).map((each) => ({ ...each, class: 'CH' as const })),
      }),
    },
    { says: 'no question', change: (packet: Packet): Packet => ({ ...packet, questions: [] }) },
    { says: 'a query', change: (packet: Packet): Packet => ({ ...packet, type: 'query' }) },
  ]) {
    it(`is not taken: ${says}`, async () => {
      const upstream = await servers.upstream(({ query, reply, replyBytes }) => {
        replyBytes(encode(change({ ...forged, id: query.id ?? 0, questions: query.questions ?? [] })));
        reply({ answers: [a('192.0.2.1')] });
      });
      const { ask, counters } = await servers.start([upstream]);
      expect(lines((await ask(name)).answers)).to.deep.equal(['A 192.0.2.1']);
      expect(counters.strangers).to.equal(1);
    });
  }

  it('is not taken: right, but from another address', async () => {
    const stranger = createSocket('udp4');
    const upstream = await servers.upstream(({ query, port, reply }) => {
      const bytes = encode({ ...forged, id: query.id ?? 0, questions: query.questions ?? [] });
      stranger.send(bytes, port, '127.0.0.1', () => reply({ answers: [a('192.0.2.1')] }));
    });
    const { ask } = await servers.start([upstream]);
    expect(lines((await ask(name)).answers)).to.deep.equal(['A 192.0.2.1']);
    stranger.close();
  });

  it('with other capitals makes us ask over TCP, where nobody answers who was not asked', async () => {
    const upstream = await servers.upstream(({ isTcp, query, reply, replyBytes }) => {
      if (isTcp) return reply({ answers: [a('192.0.2.1')] });
      const questions = [{ type: 'A' as const, name: (query.questions?.[0]?.name ?? '').toUpperCase() }];
      replyBytes(encode({ ...forged, id: query.id ?? 0, questions }));
    });
    const { ask, counters } = await servers.start([upstream]);
    expect(lines((await ask('www.many-letters-that-are-small.example.com')).answers)).to.deep.equal(['A 192.0.2.1']);
    expect(counters.upstreamOverTcp).to.equal(1);
  });
});

describe('an answer that was cut', () => {
  const servers = new ServersUnderTest();
  afterEach(() => servers.close());
  const list = Array.from({ length: 200 }, (_, index) => a(`192.0.2.${index}`));

  it('is asked for over TCP, and cut to what our client takes', async () => {
    const upstream = await servers.upstream(({ isTcp, reply }) =>
      isTcp ? reply({ answers: list }) : reply({ flags: 0x0200 }),
    );
    const { ask, askOverTcp, counters } = await servers.start([upstream]);
    const cut = await ask(name);
    expect({ isCut: cut.flag_tc, answers: cut.answers }).to.deep.equal({ isCut: true, answers: [] });
    expect((await askOverTcp([question(name)]))[0]?.answers).to.have.length(200);
    expect(counters).to.deep.include({ upstreamOverTcp: 1, cacheHits: 1, truncated: 1 });
  });

  it('is asked for of the next resolver when TCP fails', async () => {
    const first = await servers.upstream(({ isTcp, reply, hangUp }) => (isTcp ? hangUp() : reply({ flags: 0x0200 })));
    const second = await servers.upstream(({ reply }) => reply({ answers: [a('192.0.2.2')] }));
    const { ask } = await servers.start([first, second]);
    expect(lines((await ask(name)).answers)).to.deep.equal(['A 192.0.2.2']);
  });

  it('comes in pieces', async () => {
    const upstream = await servers.upstream(({ isTcp, query, reply, replyPieces }) => {
      if (!isTcp) return reply({ flags: 0x0200 });
      replyPieces(encode({ type: 'response', id: query.id ?? 0, questions: query.questions ?? [], answers: list }));
    });
    const { askOverTcp } = await servers.start([upstream]);
    expect((await askOverTcp([question(name)]))[0]?.answers).to.have.length(200);
  });
});

describe('the cache', () => {
  const servers = new ServersUnderTest();
  afterEach(() => servers.close());

  const rows: { says: string; reply: Packet; kept: boolean; after?: number; ttl?: number }[] = [
    {
      says: 'keeps an answer and lowers its TTL',
      reply: { answers: [a('192.0.2.1', 60)] },
      kept: true,
      after: 59,
      ttl: 1,
    },
    { says: 'forgets it when its TTL is over', reply: { answers: [a('192.0.2.1', 60)] }, kept: false, after: 60 },
    { says: 'keeps nothing with TTL 0', reply: { answers: [a('192.0.2.1', 0)] }, kept: false },
    { says: 'takes the lowest TTL', reply: { answers: [a('192.0.2.1', 9), a('192.0.2.2', 3)] }, kept: false, after: 3 },
    { says: 'keeps that there is no such name', reply: { flags: 3, authorities: [soa(20)] }, kept: true, after: 19 },
    { says: '... for as long as the SOA says', reply: { flags: 3, authorities: [soa(20)] }, kept: false, after: 20 },
    { says: '... or its TTL, if that is less', reply: { flags: 3, authorities: [soa(20, 5)] }, kept: false, after: 5 },
    { says: 'keeps that there is nothing of a type', reply: { authorities: [soa(20)] }, kept: true, after: 19 },
    { says: 'keeps no refusal without SOA', reply: { flags: 3 }, kept: false },
    {
      says: 'keeps no referral',
      reply: { authorities: [{ type: 'NS', name: 'com', ttl: 99, data: 'a.com' }] },
      kept: false,
    },
    { says: 'keeps no SERVFAIL', reply: { flags: 2 }, kept: false },
  ];
  for (const { says, reply: packet, kept, after = 0, ttl } of rows) {
    it(says, async () => {
      let asked = 0;
      const upstream = await servers.upstream(({ reply }) => {
        asked++;
        reply(packet);
      });
      const { ask, clock } = await servers.start([upstream], {}, 'fake-clock');
      await ask(name);
      clock.advance(after * 1_000);
      const answer = await ask('WWW.example.COM');
      expect(asked).to.equal(kept ? 1 : 2);
      const [record] = answer.answers ?? [];
      expect(ttl === undefined || record === undefined || !('ttl' in record) ? undefined : record.ttl).to.equal(ttl);
    });
  }

  it('keeps apart what was asked with and without DO', async () => {
    let asked = 0;
    const upstream = await servers.upstream(({ reply }) => {
      asked++;
      reply({ answers: [a('192.0.2.1')] });
    });
    const { ask } = await servers.start([upstream]);
    for (const isDnssecOk of [true, false, true]) await ask(name, { udpBytes: 1_232, isDnssecOk });
    expect(asked).to.equal(2);
  });
});

describe('many questions', () => {
  const servers = new ServersUnderTest();
  afterEach(() => servers.close());

  it('that are equal and under way are asked once', async () => {
    const replies: (() => void)[] = [];
    const upstream = await servers.upstream(({ reply }) => replies.push(() => reply({ answers: [a('192.0.2.1')] })));
    const { ask, counters, until } = await servers.start([upstream]);
    const asked = ['www.example.com', 'WWW.example.com', 'www.EXAMPLE.com'].map((each, id) => ask(each, { id }));
    await until(() => replies.length === 1 && counters.joined === 2);
    for (const reply of replies) reply();
    const answers = await Promise.all(asked);
    expect(answers.map(({ id, questions }) => [id, questions?.[0]?.name])).to.deep.equal([
      [0, 'www.example.com'],
      [1, 'WWW.example.com'],
      [2, 'www.EXAMPLE.com'],
    ]);
  });

  it('that differ are bounded: those beyond are answered SERVFAIL', async () => {
    const upstream = await servers.upstream(() => {});
    const { askOverTcp, counters } = await servers.start([upstream], { attemptMs: 300, wholeMs: 400 });
    const ask = (index: number) => question(`n${index}.example.com`, { id: index });
    // 64 are under way on one connection.
    const rounds = Array.from({ length: 5 }, (_, round) =>
      askOverTcp(Array.from({ length: 60 }, (_, index) => ask(round * 60 + index))),
    );
    const answers = (await Promise.all(rounds)).flat();
    expect(answers.every(({ rcode }) => rcode === 'SERVFAIL')).to.equal(true);
    expect(counters).to.deep.include({ overflows: 44, failures: 256, forwarded: 256, underWay: 0 });
  });

  it('on one connection are answered as they are ready, whatever the pieces', async () => {
    const upstream = await servers.upstream(() => {});
    const { ownAddress } = await servers.start([upstream], { attemptMs: 50, wholeMs: 100 });
    const socket = connect(ownAddress.port, ownAddress.host);
    const ids: number[] = [];
    const messages = [
      question(name, { id: 1 }),
      question('reviews', { id: 2 }),
      question('missing.default.mesh.local', { id: 3 }),
    ];
    const bytes = Buffer.concat(messages.flatMap((message) => [Buffer.from([0, message.length]), message]));
    for (const octet of bytes) socket.write(Buffer.from([octet]));
    socket.end();
    let rest = Buffer.alloc(0);
    for await (const piece of socket) {
      rest = Buffer.concat([rest, piece]);
      while (rest.length > 2 && rest.length >= rest.readUInt16BE(0) + 2) {
        const answer: Read = decode(rest.subarray(2, rest.readUInt16BE(0) + 2));
        ids.push(answer.id ?? 0);
        rest = rest.subarray(rest.readUInt16BE(0) + 2);
      }
    }
    // And the connection is closed when all is answered, as the client has said that it asks no more.
    expect(ids).to.deep.equal([2, 3, 1]);
  });
});
