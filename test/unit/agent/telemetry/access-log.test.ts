import { expect } from 'chai';
import { AccessLog, type Describable } from '../../../../agent/telemetry/access-log.ts';
import { RequestFacts } from '../../../../agent/telemetry/request-facts.ts';
import { FakeClock } from '../../process/fake-clock.ts';
import { seededRandom } from '../../routing/resources.ts';

function logOf({ samplePercent, slowMs, entry }: { samplePercent: number; slowMs?: number; entry?: string }) {
  const lines: string[] = [];
  const counts = { written: 0, dropped: 0 };
  const clock = new FakeClock();
  const log = new AccessLog({
    lines: { write: (bytes, length) => void lines.push(bytes.toString('utf8', 0, length)), counts },
    entry,
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

const nothing: Describable = { describe: () => {} };

/** What a line says of nothing. */
const plain = {
  listener: 'outbound',
  status: 200,
  reason: null,
  detail: null,
  bytesIn: 0,
  bytesOut: 0,
  service: null,
  rule: null,
  cluster: null,
  subset: null,
  revision: null,
  remoteAddress: null,
};

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
    for (const durationMs of [1_500.123_456, 1_500.12, 0.999_9]) {
      log.write('outbound', factsOf({ durationMs, firstByteMs: 0.000_4 }), nothing);
    }
    const time = (durationMs: number) => new Date(Math.floor(clock.now() - durationMs)).toISOString();
    expect(lines.map((line) => JSON.parse(line))).to.deep.equal([
      { ...plain, time: time(1_500.123_456), durationMs: 1_500.123, firstByteMs: 0 },
      { ...plain, time: time(1_500.12), durationMs: 1_500.12, firstByteMs: 0 },
      { ...plain, time: time(0.999_9), durationMs: 1, firstByteMs: 0 },
    ]);
  });

  it('of one of several applications names its entry in every line', () => {
    const { log, lines } = logOf({ samplePercent: 100, entry: 'web-1' });
    log.write('outbound', factsOf({}), nothing);
    log.write('outbound', factsOf({}), nothing);
    for (const line of lines)
      expect(Object.entries(JSON.parse(line)).slice(1, 3)).to.deep.equal([
        ['entry', 'web-1'],
        ['listener', 'outbound'],
      ]);
  });

  it('has the same keys in every line', () => {
    const { log, lines } = logOf({ samplePercent: 100 });
    const routedBy = { rule: 'canary/all', cluster: 'reviews.default|http|v1' };
    log.write('outbound', factsOf({ status: 0 }), nothing);
    log.write('outbound', factsOf({ ending: 'timeout', service: 'reviews.default', routedBy, revision: 3 }), nothing);
    log.write('inbound', factsOf({ remoteAddress: '::1', detail: 'why' }), {
      describe: (line) => line.text('path', '/'),
    });
    const [bare, routed, described] = lines.map((line) => JSON.parse(line));
    expect(Object.keys(routed)).to.deep.equal(Object.keys(bare));
    expect(bare).to.include({ status: null, reason: null, rule: null, cluster: null, subset: null, revision: null });
    expect(routed).to.include({
      reason: 'timeout',
      ...routedBy,
      subset: 'v1',
      revision: 3,
      service: 'reviews.default',
    });
    expect(described).to.include({ listener: 'inbound', path: '/', remoteAddress: '::1', detail: 'why' });
  });
});
