import { expect } from 'chai';
import { AccessLog, type RequestDescription } from '../../../../agent/telemetry/access-log.ts';
import { RequestFacts } from '../../../../agent/telemetry/request-facts.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { seededRandom } from '../../routing/resources.ts';

const description: RequestDescription = {
  protocol: 'http',
  method: 'GET',
  host: 'reviews',
  path: '/',
  instance: '',
  upstream: '',
  attempts: 0,
  connectMs: -1,
  requestId: '',
  traceparent: '',
};

function logOf({ samplePercent, slowMs }: { samplePercent: number; slowMs?: number }) {
  const lines: string[] = [];
  const counts = { written: 0, dropped: 0 };
  const clock = new FakeClock();
  const log = new AccessLog({
    lines: { write: (line) => void lines.push(line), counts },
    samplePercent,
    slowMs,
    clock,
    random: seededRandom(1),
  });
  return { log, lines, clock };
}

function factsOf(facts: Partial<RequestFacts>): RequestFacts {
  const made = new RequestFacts();
  made.begin(0);
  return Object.assign(made, { status: 200, durationMs: 5 }, facts);
}

describe('an access log', () => {
  for (const { what, facts, want } of [
    { what: 'an answer that was passed on', facts: {}, want: false },
    { what: 'a 404 of an application', facts: { status: 404 }, want: false },
    { what: 'a redirect, which a rule wants', facts: { ending: 'redirect', status: 308 }, want: false },
    { what: 'a WebSocket', facts: { status: 101, isTunnel: true }, want: false },
    { what: 'a 500 of an application', facts: { status: 500 }, want: true },
    { what: 'an answer of the agent', facts: { ending: 'no-route', status: 404 }, want: true },
    { what: 'an answer that broke off', facts: { ending: 'broken-off' }, want: true },
    { what: 'a client that has gone', facts: { ending: 'client-gone', status: 0 }, want: true },
    { what: 'an answer that was slow', facts: { durationMs: 1_000 }, want: true },
  ] as const) {
    it(`has a line of ${what}: ${want ? 'always' : 'if it is drawn'}`, () => {
      expect(logOf({ samplePercent: 0, slowMs: 1_000 }).log.wants(factsOf(facts))).to.equal(want);
      expect(logOf({ samplePercent: 100 }).log.wants(factsOf(facts))).to.equal(true);
    });
  }

  it('draws as many as it is asked to', () => {
    const { log } = logOf({ samplePercent: 12.5 });
    const drawn = Array.from({ length: 10_000 }, () => log.wants(factsOf({}))).filter(Boolean).length;
    expect(drawn).to.be.within(1_150, 1_350);
  });

  it('says when a request began, and how long it took, to the microsecond', () => {
    const { log, lines, clock } = logOf({ samplePercent: 100 });
    const facts = factsOf({ durationMs: 1_500.123_456, firstByteMs: 0.000_4 });
    log.write('outbound', facts, { ...description, connectMs: 0 });
    const { time, durationMs, connectMs, firstByteMs } = JSON.parse(lines.join());
    expect({ time, durationMs, connectMs, firstByteMs }).to.deep.equal({
      time: new Date(clock.now() - 1_500.123_456).toISOString(),
      durationMs: 1_500.123,
      connectMs: 0,
      firstByteMs: 0,
    });
  });

  it('is one line of JSON with the same keys, whatever clients write', () => {
    const { log, lines } = logOf({ samplePercent: 100 });
    const odd = '"\\\u00e9\t\u0080\u2028';
    log.write('outbound', factsOf({}), description);
    log.write('outbound', factsOf({ detail: odd, remoteAddress: '::1' }), {
      ...description,
      host: `a:b@c@${odd}`,
      path: odd.repeat(1_000),
      requestId: 'x'.repeat(1_000),
      traceparent: odd,
    });
    const [plain, full] = lines.map((line) => JSON.parse(line));
    expect(Object.keys(full)).to.deep.equal(Object.keys(plain));
    expect(lines.join('')).not.to.match(/[\n\r]/);
    expect(full).to.include({ host: odd, detail: odd, traceparent: odd, requestId: `${'x'.repeat(128)}…` });
    expect(full.path).to.have.length(2_049);
  });
});
